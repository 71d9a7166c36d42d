# SPDX-License-Identifier: Apache-2.0

# embed(TARGET NAME FOLDER file...)
#
# Makes NAME.h and NAME.c of files in a folder, each a `struct page_file` named
# after it (index.html: page_index_html), and adds them to a target.
function(embed target name folder)
  set(script ${CMAKE_SOURCE_DIR}/cmake/embed_files.cmake)
  set(out ${CMAKE_CURRENT_BINARY_DIR}/embedded)
  list(TRANSFORM ARGN PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/ OUTPUT_VARIABLE files)
  string(REPLACE ";" "," listed "${files}")
  add_custom_command(OUTPUT ${out}/${name}.c ${out}/${name}.h
    COMMAND ${CMAKE_COMMAND} -DFILES=${listed} -DOUT=${out}/${name} -P ${script}
    DEPENDS ${script} ${files})
  target_sources(${target} PRIVATE ${out}/${name}.c ${out}/${name}.h)
  target_include_directories(${target} PUBLIC ${out})
endfunction()
