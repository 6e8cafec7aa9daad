# pensieve_protocols(NAME ROOT): a static library of what protoc makes of every .proto below ROOT, with gRPC services.
# Generated once, compiled once, without our warnings: it is not our code.
function(pensieve_protocols name root)
  find_package(PkgConfig REQUIRED)
  pkg_check_modules(GRPC REQUIRED IMPORTED_TARGET grpc++ grpc protobuf)
  find_library(GPR_LIBRARY gpr REQUIRED)
  find_program(PROTOC protoc REQUIRED)
  find_program(GRPC_CPP_PLUGIN grpc_cpp_plugin REQUIRED)
  set(output ${CMAKE_CURRENT_BINARY_DIR}/${name})
  file(MAKE_DIRECTORY ${output})
  file(GLOB_RECURSE protos CONFIGURE_DEPENDS RELATIVE ${root} ${root}/*.proto)
  set(sources "")
  foreach(proto ${protos})
    string(REGEX REPLACE "\\.proto$" "" stem ${proto})
    set(made ${output}/${stem}.pb.cc ${output}/${stem}.grpc.pb.cc)
    add_custom_command(OUTPUT ${made} ${output}/${stem}.pb.h ${output}/${stem}.grpc.pb.h
                       COMMAND ${PROTOC} --proto_path=${root} --cpp_out=${output} --grpc_out=${output}
                               --plugin=protoc-gen-grpc=${GRPC_CPP_PLUGIN} ${proto}
                       DEPENDS ${root}/${proto} VERBATIM)
    list(APPEND sources ${made})
  endforeach()
  add_library(${name} STATIC ${sources})
  target_compile_options(${name} PRIVATE -w)
  target_include_directories(${name} SYSTEM PUBLIC ${output})
  target_link_libraries(${name} PUBLIC PkgConfig::GRPC ${GPR_LIBRARY})
endfunction()
