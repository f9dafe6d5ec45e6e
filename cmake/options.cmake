# SPDX-License-Identifier: MIT
# Compiler settings of every target, and the way a layer is declared.

option(IPN_WERROR "Treat warnings as errors" OFF)
option(IPN_TESTS "Build the tests" ON)
set(IPN_SANITIZE "" CACHE STRING "Sanitizers, as for -fsanitize=")

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "" FORCE)
endif()

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)

add_library(ipn_options INTERFACE)
target_compile_definitions(ipn_options INTERFACE _GNU_SOURCE)
target_compile_options(ipn_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wundef -Wvla -Wimplicit-fallthrough
  $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor -Woverloaded-virtual -Wextra-semi>
  $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes>
  $<$<BOOL:${IPN_WERROR}>:-Werror>
  -fstack-protector-strong)
if(CMAKE_BUILD_TYPE MATCHES "Rel")
  target_compile_definitions(ipn_options INTERFACE _FORTIFY_SOURCE=2)
endif()
if(IPN_SANITIZE)
  target_compile_options(ipn_options INTERFACE
    -fsanitize=${IPN_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(ipn_options INTERFACE -fsanitize=${IPN_SANITIZE})
endif()

# The way of a message goes through four layers in some tens of nanoseconds: where
# we measure, the daemon is optimised across them. The objects hold both forms, so
# that tests link as fast as ever.
set(IPN_LTO OFF)
if(CMAKE_BUILD_TYPE MATCHES "Rel" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND NOT IPN_SANITIZE)
  set(IPN_LTO ON)
endif()
function(ipn_optimise_across target)
  if(IPN_LTO)
    # Vectorised moves of neighbouring fields wait for the small stores before them.
    target_compile_options(${target} PRIVATE
      -flto=auto -ffat-lto-objects -fno-tree-slp-vectorize)
  endif()
endfunction()

# ipn_layer(TARGET DIR sources...): a static library whose headers are named
# from the root of the tree. It sees what it is linked with, nothing else.
function(ipn_layer target)
  add_library(${target} STATIC ${ARGN})
  target_include_directories(${target} PUBLIC ${PROJECT_SOURCE_DIR})
  target_link_libraries(${target} PRIVATE ipn_options)
endfunction()

# Sources of a test program are compiled some at a time: they include the same headers,
# which take longer than the tests in them. Not in the presets dev and clang, where every
# source stands for itself.
option(IPN_JOIN_TEST_SOURCES "Compile several test sources at once" OFF)
function(ipn_join_sources target)
  set_target_properties(${target} PROPERTIES
    UNITY_BUILD ${IPN_JOIN_TEST_SOURCES} UNITY_BUILD_BATCH_SIZE 6)
endfunction()
