"""Plan to job folder to data to training to RunRecord. The only room that imports torch."""
