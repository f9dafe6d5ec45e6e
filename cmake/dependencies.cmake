# SPDX-License-Identifier: MIT
# Libraries come from the distribution (tools/packages.txt); nothing is
# downloaded. System headers are not ours to warn about.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(fuse3 REQUIRED IMPORTED_TARGET fuse3>=3.14)
pkg_check_modules(liburing REQUIRED IMPORTED_TARGET liburing>=2.3)
pkg_check_modules(libsystemd REQUIRED IMPORTED_TARGET libsystemd)
find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(tomlplusplus REQUIRED)
if(IPN_TESTS)
  find_package(GTest REQUIRED)
endif()
