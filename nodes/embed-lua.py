# Makes a C table of Lua files, so that the program brings them along.
# Usage: embed-lua.py TABLE OUTPUT.c FILE.lua ...
import os
import sys

table, output, files = sys.argv[1], sys.argv[2], sorted(sys.argv[3:])
with open(output, "w", encoding="ascii") as out:
    out.write("#include <meterloom/script.h>\n\n")
    out.write("extern const struct ml_script %s[];\n\n" % table)
    sizes = []
    for number, path in enumerate(files):
        with open(path, "rb") as source:
            text = source.read()
        sizes.append(len(text))
        out.write("static const char text_%d[] = {" % number)
        for at, byte in enumerate(text):
            out.write("%s%d," % ("\n\t" if at % 24 == 0 else " ", byte if byte < 128 else byte - 256))
        out.write("\n};\n\n")
    out.write("const struct ml_script %s[] = {\n" % table)
    for number, path in enumerate(files):
        name = os.path.splitext(os.path.basename(path))[0]
        out.write('\t{"%s", text_%d, %d},\n' % (name, number, sizes[number]))
    out.write("\t{NULL, NULL, 0},\n};\n")
