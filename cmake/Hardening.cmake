# SPDX-License-Identifier: Apache-2.0
#
# Compiler language, warnings and hardening, the same for every target.
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_EXTENSIONS ON) # gnu11: _GNU_SOURCE interfaces such as recvmmsg
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()

# Development builds keep assert(); CMake's own default would drop it.
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g")

set(BREAKOUT_SANITIZE "" CACHE STRING
    "Sanitizers for -fsanitize=, such as address,undefined or thread")
option(BREAKOUT_WERROR "Warnings are errors" ON)

include(CheckPIESupported)
check_pie_supported(LANGUAGES C)

add_compile_definitions(_GNU_SOURCE BREAKOUT_VERSION="${PROJECT_VERSION}")
# What we wrote answers for every warning; generated code does not (Room.cmake).
set(BREAKOUT_WARNINGS
    -Wall -Wextra -Wshadow -Wswitch-enum -Wstrict-prototypes
    -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wvla
    -Wformat=2 -Wconversion -Wno-sign-conversion)
if(BREAKOUT_WERROR)
  list(APPEND BREAKOUT_WARNINGS -Werror)
endif()

add_compile_options(-fno-strict-aliasing -fno-common -fno-omit-frame-pointer)
if(BREAKOUT_SANITIZE)
  add_compile_options(-fsanitize=${BREAKOUT_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${BREAKOUT_SANITIZE})
else()
  add_compile_options(-fstack-protector-strong -fstack-clash-protection
                      -ftrivial-auto-var-init=zero)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    add_compile_options(-fcf-protection)
  endif()
  # FORTIFY needs the optimiser.
  add_compile_options($<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE>
                      $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=3>)
  add_link_options(-Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
endif()
