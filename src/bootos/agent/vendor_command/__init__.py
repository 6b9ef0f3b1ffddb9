"""The documented vendor scripts, `/opt/yunji/osinstall/VENDOR/{raid,oob,bios}.sh`, over our drivers.

Each call becomes a small template that the engine plans, carries out and checks; so stock Cloudboot templates
run unchanged and may be run twice. `main.py` is the way from words to exit code, the modules named after the
scripts say what their options mean. Nothing here talks to hardware.
"""
