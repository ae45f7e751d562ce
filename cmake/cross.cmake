# Toolchain file for the agent on another architecture: FLEETWARD_CROSS names it as Debian does (arm64, armhf).
# scripts/cross-sysroot has unpacked compiler and libraries below .deps/cross-ARCH/system; nothing of the machine is used.
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES FLEETWARD_CROSS)
set(triplet_arm64 aarch64-linux-gnu)
set(triplet_armhf arm-linux-gnueabihf)
set(processor_arm64 aarch64)
set(processor_armhf armv7l)
set(FLEETWARD_TRIPLET ${triplet_${FLEETWARD_CROSS}})
set(FLEETWARD_SYSROOT ${CMAKE_CURRENT_LIST_DIR}/../.deps/cross-${FLEETWARD_CROSS}/system)
get_filename_component(FLEETWARD_SYSROOT ${FLEETWARD_SYSROOT} REALPATH)

set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR ${processor_${FLEETWARD_CROSS}})
set(CMAKE_SYSROOT ${FLEETWARD_SYSROOT})
set(CMAKE_C_COMPILER ${FLEETWARD_SYSROOT}/usr/bin/${FLEETWARD_TRIPLET}-gcc-12)
set(CMAKE_CXX_COMPILER ${FLEETWARD_SYSROOT}/usr/bin/${FLEETWARD_TRIPLET}-g++-12)
set(CMAKE_LIBRARY_ARCHITECTURE ${FLEETWARD_TRIPLET})
# The cross packages keep libc below /usr/TRIPLET, the libraries' own packages below /usr/lib/TRIPLET.
string(CONCAT flags "-idirafter ${FLEETWARD_SYSROOT}/usr/${FLEETWARD_TRIPLET}/include "
  "-B${FLEETWARD_SYSROOT}/usr/${FLEETWARD_TRIPLET}/lib -B${FLEETWARD_SYSROOT}/usr/bin/${FLEETWARD_TRIPLET}-")
set(CMAKE_C_FLAGS_INIT ${flags})
set(CMAKE_CXX_FLAGS_INIT ${flags})
string(CONCAT CMAKE_EXE_LINKER_FLAGS_INIT "-L${FLEETWARD_SYSROOT}/usr/${FLEETWARD_TRIPLET}/lib "
  "-L${FLEETWARD_SYSROOT}/usr/lib/${FLEETWARD_TRIPLET} "
  "-Wl,-rpath-link,${FLEETWARD_SYSROOT}/usr/${FLEETWARD_TRIPLET}/lib "
  "-Wl,-rpath-link,${FLEETWARD_SYSROOT}/usr/lib/${FLEETWARD_TRIPLET}")
set(CMAKE_FIND_ROOT_PATH ${FLEETWARD_SYSROOT})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_LIBDIR} ${FLEETWARD_SYSROOT}/usr/lib/${FLEETWARD_TRIPLET}/pkgconfig)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${FLEETWARD_SYSROOT})
