#!/usr/bin/env python3
"""Tells on which machine the figures that follow are measured, with which compiler, and what else runs there.

Usage: machine.py COMPILER BUILDTYPE
"""

import os
import pathlib
import platform
import re
import sys


def processor():
    text = pathlib.Path("/proc/cpuinfo").read_text()
    found = re.search(r"^(?:model name|Model|Hardware)\s*:\s*(.*)$", text, re.M)
    return found.group(1) if found else platform.machine()


def main():
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    print(f"machine   {processor()}, {os.cpu_count()} processors, {pages / 2**30:.1f} GiB")
    print(f"system    {platform.system()} {platform.release()}, {platform.libc_ver()[0]} {platform.libc_ver()[1]}")
    print(f"build     {' '.join(sys.argv[1:])}")
    load = os.getloadavg()
    rest = "" if load[0] < 0.5 else "   NOT QUIET: the figures are worse than the machine's"
    print(f"load      {load[0]:.2f} {load[1]:.2f} {load[2]:.2f}{rest}")


main()
