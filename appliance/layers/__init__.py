"""How do the packages that a `requirements.txt` asks for become a folder that a cell can mount?"""
