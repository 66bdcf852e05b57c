"""What the core costs on this machine, beside the floor and the peers. ``make bench`` runs all of it.

Every benchmark checks what it computed against a plain reference before it prints a time. Never imported by what ships.
"""
