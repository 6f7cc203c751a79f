"""The program that the supervisor's tests run: `python supervised_main.py FOLDER SCENARIO`."""

import sys

import supervised

if __name__ == "__main__":
    sys.exit(supervised.main(sys.argv[1], sys.argv[2]))
