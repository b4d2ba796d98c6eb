"""Start recorded runs: in this process as Python would, or in fresh ones that are watched.

- `command`: what a user asks to run, and how it is found; `cells`: the cells of a notebook; `notebooks`: run them in
  a kernel.
- `script`: run a script as `__main__` of this process; `tracebacks`: show its exceptions without the frames of reproof.
- `processes`: recorded runs in fresh processes; `start`: their command line; `parent`: end them with this process.
- `experiments`: pass a plan and probes to such a process; `variations`: change what surrounds it.
- `folders`: what a run changed in its folder, and copies of that folder.
- `placing`: where such a copy lies, so that a run in it sees what is beside the folder; `confinement`: a program that
  keeps it from writing there; `guard`: refuse that where the system
  offers no such program; `imports`: packages of the folder come from the copy.
- `stdin`: what runs read from standard input; `orphans`: end the processes that they leave behind; `stalls`: notice
  that one waits for a process that has died.
- `restart`: restart this process with a hash seed.
"""
