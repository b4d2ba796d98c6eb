"""What depends on which of several threads, processes or tasks comes first.

- `table`: the taps of this wing, one row each
- `turns`: who starts threads, and how experiments have them take turns
- `queues`, `channels`, `managers`: queues of threads, of processes, and of a `multiprocessing.Manager`
- `shared_values`, `shared_parameters`: numbers, and parameters of models, that processes share
- `thread_events`: `threading.Event`
- `event_loops`: what an `asyncio` loop waits for
- `completion`: futures, pools and loaders that give results as they come
- `pools`: which worker of a process pool a task gets
- `tasks`: when a worker of a process pool begins and ends a task
- `signals`: handlers of signals, and the timers that call them
- `workers`: names for threads and tasks, the same in every run
- `arrivals`: results that are held back until it is their turn, and sets that keep an order
- `waiting`: how long all of these wait
"""
