# SPDX-License-Identifier: Apache-2.0
#
# Every foreign library, found once. Rooms link the imported target they are
# allowed; tests/layers checks which file includes which header.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

function(foreign name package)
  pkg_check_modules(${name} REQUIRED IMPORTED_TARGET ${package})
endfunction()

foreign(YAML yaml-0.1)
foreign(GLIB glib-2.0)
foreign(JANSSON jansson)
foreign(GRPC grpc)
foreign(GPR gpr)
foreign(PROTOBUF_C libprotobuf-c)
foreign(CURL libcurl)
foreign(SQLITE sqlite3)
foreign(PQ libpq)
foreign(NICE nice)
foreign(SRTP libsrtp2)
foreign(OPENSSL openssl)
foreign(SNDFILE sndfile)
foreign(SPEEXDSP speexdsp)
foreign(OPUS opus)
foreign(OGG ogg)
foreign(SPANDSP spandsp)
foreign(CARES libcares)
foreign(SOFIA sofia-sip-ua)
foreign(MICROHTTPD libmicrohttpd)

# Held calls take a third less with it; the daemon runs without as well.
pkg_check_modules(JEMALLOC IMPORTED_TARGET jemalloc)

# Only the tests want it: the programs build without.
pkg_check_modules(CMOCKA IMPORTED_TARGET cmocka)
