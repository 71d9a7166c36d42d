# SPDX-License-Identifier: Apache-2.0
#
# Run by embed(): FILES separated by commas, OUT without suffix.
set(types_html "text/html; charset=utf-8")
set(types_css "text/css; charset=utf-8")
set(types_js "text/javascript; charset=utf-8")
set(types_json "application/json")

set(header "/* Made by cmake/embed_files.cmake. */\n#pragma once\n#include <stddef.h>\n
struct page_file {\n\tconst char *type; /* of the content */\n\tconst void *bytes;\n\tsize_t length;\n};\n")
set(source "/* Made by cmake/embed_files.cmake. */\n#include \"${OUT}.h\"\n")
string(REPLACE "," ";" files "${FILES}")
foreach(file ${files})
  get_filename_component(leaf ${file} NAME)
  get_filename_component(suffix ${file} LAST_EXT)
  string(SUBSTRING "${suffix}" 1 -1 suffix)
  string(MAKE_C_IDENTIFIER "page_${leaf}" name)
  file(READ ${file} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(APPEND header "extern const struct page_file ${name};\n")
  string(APPEND source "static const unsigned char ${name}_bytes[] = { ${bytes} };\n"
    "const struct page_file ${name} = { \"${types_${suffix}}\", ${name}_bytes, sizeof(${name}_bytes) };\n")
endforeach()
file(WRITE ${OUT}.h "${header}")
file(WRITE ${OUT}.c "${source}")
