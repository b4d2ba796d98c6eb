"""What depends on which of several threads, processes or tasks comes first.

- `turns`: who starts threads, and how experiments have them take turns
- `queues`, `channels`, `managers`: queues of threads, of processes, and of a `multiprocessing.Manager`
- `shared_values`: numbers that processes share
- `thread_events`: `threading.Event`
- `event_loops`: what an `asyncio` loop waits for
- `completion`: futures, pools and loaders that give results as they come
- `pools`: which worker of a process pool a task gets
- `signals`: handlers of signals, and the timers that call them
"""
