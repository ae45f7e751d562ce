# One interface target carries language level, warnings and sanitizers: fleetward::flags.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
set(CMAKE_CXX_FLAGS_DEV "-O1 -g1")
set(CMAKE_C_FLAGS_DEV "-O1 -g1")

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
endif()

set(FLEETWARD_SANITIZE "" CACHE STRING "Sanitizers, comma separated (address,undefined or thread)")

add_library(fleetward_flags INTERFACE)
add_library(fleetward::flags ALIAS fleetward_flags)
target_compile_options(fleetward_flags INTERFACE -Wall -Wextra -Werror -Wnon-virtual-dtor -fno-strict-aliasing
  -fstack-protector-strong)
# GCC 12 takes `string = "literal"` for an overlapping copy when it optimizes (its own bug tracker: 105329).
target_compile_options(fleetward_flags INTERFACE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-restrict>)
target_compile_definitions(fleetward_flags INTERFACE $<$<CONFIG:Release,MinSizeRel>:_FORTIFY_SOURCE=2>)
target_link_options(fleetward_flags INTERFACE -Wl,-z,relro,-z,now)
# The agent has to be small: what nothing refers to is left out.
target_compile_options(fleetward_flags INTERFACE $<$<CONFIG:Release,MinSizeRel>:-ffunction-sections>
  $<$<CONFIG:Release,MinSizeRel>:-fdata-sections>)
target_link_options(fleetward_flags INTERFACE $<$<CONFIG:Release,MinSizeRel>:-Wl,--gc-sections>)
if(FLEETWARD_SANITIZE)
  target_compile_options(fleetward_flags INTERFACE -fsanitize=${FLEETWARD_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  target_link_options(fleetward_flags INTERFACE -fsanitize=${FLEETWARD_SANITIZE})
  # GCC 12 reports false positives of this one under sanitizers (its own bug tracker: 105562).
  target_compile_options(fleetward_flags INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
endif()
if(FLEETWARD_FUZZ)
  target_compile_options(fleetward_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
