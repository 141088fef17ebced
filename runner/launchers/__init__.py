"""Starting a run where its machines are: by hand on each, by Slurm, on Kubernetes, by SkyPilot."""
