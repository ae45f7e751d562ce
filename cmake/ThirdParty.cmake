# Every third-party library is named once, here, as third::NAME; docs/dependencies.md gives the reason for each.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)

function(third_pkg NAME MODULE)
  pkg_check_modules(${NAME}_PKG REQUIRED IMPORTED_TARGET GLOBAL ${MODULE})
  add_library(third_${NAME} INTERFACE)
  target_link_libraries(third_${NAME} INTERFACE PkgConfig::${NAME}_PKG)
  add_library(third::${NAME} ALIAS third_${NAME})
endfunction()

function(third_lib NAME)
  add_library(third_${NAME} INTERFACE)
  target_link_libraries(third_${NAME} INTERFACE ${ARGN})
  add_library(third::${NAME} ALIAS third_${NAME})
endfunction()

third_lib(openssl OpenSSL::SSL OpenSSL::Crypto)
third_lib(crypto OpenSSL::Crypto)
third_lib(threads Threads::Threads)
third_pkg(mosquitto libmosquitto)
third_lib(tomlplusplus)  # header only: defined in the source that includes it
if(NOT FLEETWARD_AGENT_ONLY)
  third_pkg(sqlite sqlite3)
  third_pkg(zstd libzstd)
  third_pkg(re2 re2)
  third_pkg(curl libcurl)
  third_lib(rocksdb rocksdb)
  third_lib(json)  # nlohmann-json, header only
  third_lib(simdjson simdjson)
  third_lib(cli11)
  third_lib(roaring roaring)
  find_package(GTest)
  if(GTest_FOUND)
    third_lib(gtest GTest::gtest GTest::gmock GTest::gtest_main)
  endif()
  find_package(benchmark QUIET)
  if(benchmark_FOUND)
    third_lib(benchmark benchmark::benchmark)
  endif()

  # Boost 1.81 headers, unpacked by scripts/bootstrap: the -dev package conflicts with Debian's default 1.74.
  third_lib(boost_headers)
  target_include_directories(third_boost_headers SYSTEM INTERFACE ${CMAKE_SOURCE_DIR}/.deps/boost-1.81/usr/include)
  # Asio and Beast are compiled separately, once, in src/http; every user must see the same definitions.
  third_lib(boost third::boost_headers third::openssl third::threads)
  target_compile_definitions(third_boost INTERFACE BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION
    BOOST_ASIO_NO_DEPRECATED BOOST_ERROR_CODE_HEADER_ONLY)
  # The thread sanitizer knows no fences (GCC refuses them); Asio's locks order the same accesses.
  if(FLEETWARD_SANITIZE MATCHES thread)
    target_compile_definitions(third_boost INTERFACE BOOST_ASIO_DISABLE_FENCED_BLOCK)
  endif()
endif()
