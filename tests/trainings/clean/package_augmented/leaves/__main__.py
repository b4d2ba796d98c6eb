from .engine.loop import main

main()
