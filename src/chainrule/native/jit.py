"""From LLVM IR to addresses of native functions."""

from __future__ import annotations

import llvmlite.binding as llvm


def compile_ir(text: str, names: list[str]) -> tuple[dict[str, int], object]:
    """Compile one module; the address of each named function, and what keeps the code alive."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten() + ",-prefer-256-bit", opt=3
    )
    module = llvm.parse_assembly(text)
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    options.loop_vectorization = False
    options.loop_unrolling = False
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    return {name: engine.get_function_address(name) for name in names}, engine
