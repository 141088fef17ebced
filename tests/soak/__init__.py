"""One run that is put to every fault we know to make, against one that nobody disturbs: ``python -m tests.soak``.

plan.py          what is trained, and with which rules it is watched
start.py         `sixnd run` as it is, but for ranks that can be told to make one loss a NaN (worker.py)
run.py           the run as processes and files: started, waited for, ended
disk.py          checkpoints on a small disk that can be filled
processes.py, files.py, limits.py    the faults
soak.py          the order of it all
comparison.py    what must be equal, to the bit
table.py         the faults and what became of them, for docs/soak.md
"""
