# SPDX-License-Identifier: Apache-2.0

# room(NAME USES lib... FOREIGN target...)
#
# A static library of all *.c of the current folder but main.c. USES are rooms below it
# (public: their headers come along), FOREIGN are libraries its files may use.
function(room name)
  cmake_parse_arguments(R "" "" "USES;FOREIGN" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.c)
  list(FILTER sources EXCLUDE REGEX "/main\\.c$")
  add_library(${name} STATIC ${sources})
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_compile_options(${name} PRIVATE ${BREAKOUT_WARNINGS})
  target_link_libraries(${name} PUBLIC ${R_USES} PRIVATE ${R_FOREIGN})
endfunction()

# program(NAME SOURCES file... USES lib... FOREIGN target...)
function(program name)
  cmake_parse_arguments(P "" "" "SOURCES;USES;FOREIGN" ${ARGN})
  add_executable(${name} ${P_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_compile_options(${name} PRIVATE ${BREAKOUT_WARNINGS})
  target_link_libraries(${name} PRIVATE ${P_USES} ${P_FOREIGN})
endfunction()
