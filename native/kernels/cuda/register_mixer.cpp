// CUDA's kernels for a Gated DeltaNet mixer and for the gate of attention's output, registered as register.cpp does. What they do not take (other element
// types, heads of more than 256 keys, convolutions of more than 4 tokens) goes the way that every device has, which tells it by name.
#ifdef FOVEA_NVCC
#include "../gated_delta.h"
#include "register.h"

#include <ATen/ops/zeros_like.h>
#include <torch/library.h>

#include <algorithm>

namespace fovea::cuda {
namespace {

using Optional = std::optional<at::Tensor>;

bool has_kernels(const at::Tensor& x) { return x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16 || x.scalar_type() == at::kHalf; }

// Numbers of the host, copied behind what the stream has to do already and without waiting for it.
template <class T>
at::Tensor on_device(const T* numbers, int64_t count, at::ScalarType type, const at::Tensor& like) {
    const auto host = at::empty({count}, at::TensorOptions().dtype(type).pinned_memory(true));
    std::copy_n(numbers, count, host.mutable_data_ptr<T>());
    return host.to(like.device(), true);
}

at::Tensor on_device(at::IntArrayRef numbers, const at::Tensor& like) {
    return on_device(numbers.data(), static_cast<int64_t>(numbers.size()), at::kLong, like);
}

const float* floats(const Optional& x) { return x ? x->const_data_ptr<float>() : nullptr; }

bool rule_fits(const at::Tensor& k, const at::Tensor& v) {
    return has_kernels(v) && v.size(0) > 0 && v.size(2) > 0 && k.size(2) > 0 && k.size(2) <= most_delta_keys;
}

// q, k and v as delta_rule leaves them, the numbers of a head side by side; g and beta dense.
DeltaRule call_of(
    const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& g, const at::Tensor& beta, at::IntArrayRef boundaries,
    const Optional& initial) {
    check_same("delta_rule", q, v);
    check_same("delta_rule", k, v);
    TORCH_CHECK(
        q.stride(2) == 1 && k.stride(2) == 1 && v.stride(2) == 1 && g.is_contiguous() && beta.is_contiguous() && (!initial || initial->is_contiguous()),
        "delta_rule: dense heads, gates and states are needed");
    DeltaRule call{};
    call.type = type_of(v);
    call.q = q.const_data_ptr(), call.k = k.const_data_ptr(), call.v = v.const_data_ptr();
    call.g = g.const_data_ptr<float>(), call.beta = beta.const_data_ptr<float>(), call.initial = floats(initial);
    call.tokens = v.size(0), call.segments = static_cast<int64_t>(boundaries.size()) - 1;
    call.key_heads = k.size(1), call.heads = v.size(1), call.keys = k.size(2), call.values = v.size(2);
    call.q_token = q.stride(0), call.q_head = q.stride(1), call.k_token = k.stride(0), call.k_head = k.stride(1);
    call.v_token = v.stride(0), call.v_head = v.stride(1);
    return call;
}

// The table of a call's chunks, which the caller holds, and memory to work in.
at::Tensor give_table(DeltaRule& call, at::IntArrayRef boundaries, const at::Tensor& like) {
    const auto numbers = delta_table(boundaries.data(), call.segments);
    auto table = on_device(numbers.data(), static_cast<int64_t>(numbers.size()), at::kInt, like);
    call.table = table.const_data_ptr<int32_t>();
    call.chunks = (table.numel() - call.segments - 1) / 3;
    return table;
}

DeltaResults rule(
    const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& g, const at::Tensor& beta, at::IntArrayRef boundaries,
    const Optional& initial, bool wants_final) {
    if (!rule_fits(k, v)) {
        return fovea::delta_rule_forward(q, k, v, g, beta, boundaries, initial, wants_final);
    }
    const c10::cuda::CUDAGuard guard(v.device());
    auto call = call_of(q, k, v, g, beta, boundaries, initial);
    const auto table = give_table(call, boundaries, v);
    const auto at_once = delta_heads_at_once(call);
    const auto out = at::empty(v.sizes(), v.options());
    const auto last = at::empty({wants_final ? call.segments : 0, call.heads, call.keys, call.values}, g.options());
    const auto space = at::empty({delta_workspace(call, at_once, false)}, g.options());
    cuda::delta_rule_forward(
        call, at_once, out.mutable_data_ptr(), wants_final ? last.mutable_data_ptr<float>() : nullptr, space.mutable_data_ptr<float>(), stream());
    C10_CUDA_KERNEL_LAUNCH_CHECK();
    return {out, last};
}

DeltaGradientResults rule_gradients(
    const Optional& given_dout, const Optional& dfinal, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& g,
    const at::Tensor& beta, at::IntArrayRef boundaries, const Optional& initial) {
    if (!rule_fits(k, v)) {
        return fovea::delta_rule_backward(given_dout, dfinal, q, k, v, g, beta, boundaries, initial);
    }
    const c10::cuda::CUDAGuard guard(v.device());
    auto call = call_of(q, k, v, g, beta, boundaries, initial);
    const auto table = give_table(call, boundaries, v);
    const auto at_once = delta_heads_at_once(call);
    const auto dout = given_dout ? given_dout->contiguous() : at::zeros_like(v, at::MemoryFormat::Contiguous);
    check_same("delta_rule", dout, v);
    const auto like = [](const at::Tensor& x) { return at::empty(x.sizes(), x.options()); };
    const auto dq = like(q), dk = like(k), dv = like(v), dg = like(g), dbeta = like(beta);
    const auto dinitial = initial ? like(*initial) : at::empty({0}, g.options());
    const auto dlast = dfinal ? Optional(dfinal->contiguous()) : std::nullopt;
    const auto space = at::empty({delta_workspace(call, at_once, true)}, g.options());
    const cuda::DeltaGradients to{
        dout.const_data_ptr(),        floats(dlast), dq.mutable_data_ptr(), dk.mutable_data_ptr(), dv.mutable_data_ptr(), dg.mutable_data_ptr<float>(),
        dbeta.mutable_data_ptr<float>(), initial ? dinitial.mutable_data_ptr<float>() : nullptr};
    cuda::delta_rule_backward(call, at_once, to, space.mutable_data_ptr<float>(), stream());
    C10_CUDA_KERNEL_LAUNCH_CHECK();
    return {dq, dk, dv, dg, dbeta, dinitial};
}

at::Tensor steps(
    const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& g, const at::Tensor& beta, at::IntArrayRef boundaries,
    at::Tensor& states, at::IntArrayRef slots) {
    if (!rule_fits(k, v)) {
        return fovea::delta_steps_forward(q, k, v, g, beta, boundaries, states, slots);
    }
    const c10::cuda::CUDAGuard guard(v.device());
    const auto call = call_of(q, k, v, g, beta, boundaries, std::nullopt);
    const auto out = at::empty(v.sizes(), v.options()), ends = on_device(boundaries, v), places = on_device(slots, v);
    cuda::delta_steps(
        call, ends.const_data_ptr<int64_t>(), places.const_data_ptr<int64_t>(), states.mutable_data_ptr<float>(), out.mutable_data_ptr(), stream());
    C10_CUDA_KERNEL_LAUNCH_CHECK();
    return out;
}

bool convolution_fits(const at::Tensor& x, const at::Tensor& weight) { return has_kernels(x) && x.numel() > 0 && weight.size(1) <= longest_convolution; }

Convolution call_of(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& boundaries, const Optional& initial) {
    check_same("short_convolution", x, weight);
    TORCH_CHECK(
        x.stride(1) == 1 && weight.is_contiguous() && (!initial || initial->is_contiguous()), "short_convolution: dense rows and weights are needed");
    return {type_of(x),  x.const_data_ptr(), weight.const_data_ptr(), initial ? initial->const_data_ptr() : nullptr, boundaries.const_data_ptr<int64_t>(),
            x.size(0), x.size(1),          x.stride(0),             weight.size(1),                                 boundaries.numel() - 1};
}

std::tuple<at::Tensor, at::Tensor> convolved(
    const at::Tensor& x, const at::Tensor& weight, at::IntArrayRef boundaries, const Optional& initial, bool wants_final) {
    if (!convolution_fits(x, weight)) {
        return fovea::convolution_forward(x, weight, boundaries, initial, wants_final);
    }
    const c10::cuda::CUDAGuard guard(x.device());
    const auto ends = on_device(boundaries, x);
    const auto call = call_of(x, weight, ends, initial);
    const auto y = at::empty(x.sizes(), x.options()), last = at::empty({wants_final ? call.segments : 0, call.length - 1, call.columns}, x.options());
    cuda::convolution_forward(call, y.mutable_data_ptr(), last.numel() > 0 ? last.mutable_data_ptr() : nullptr, stream());
    C10_CUDA_KERNEL_LAUNCH_CHECK();
    return {y, last};
}

std::tuple<at::Tensor, at::Tensor> convolution_gradients(
    const at::Tensor& given, const at::Tensor& x, const at::Tensor& weight, at::IntArrayRef boundaries, const Optional& initial) {
    if (!convolution_fits(x, weight)) {
        return fovea::convolution_backward(given, x, weight, boundaries, initial);
    }
    const c10::cuda::CUDAGuard guard(x.device());
    const auto dy = given.contiguous(), ends = on_device(boundaries, x);
    check_same("short_convolution", dy, x);
    const auto call = call_of(x, weight, ends, initial);
    const auto dx = at::empty(x.sizes(), x.options()), dweight = at::empty(weight.sizes(), weight.options());
    const auto sums = at::empty({convolution_sums(call.tokens, call.columns, call.length)}, x.options().dtype(at::kFloat));
    cuda::convolution_backward(call, dy.const_data_ptr(), dx.mutable_data_ptr(), dweight.mutable_data_ptr(), sums.mutable_data_ptr<float>(), stream());
    C10_CUDA_KERNEL_LAUNCH_CHECK();
    return {dx, dweight};
}

at::Tensor opened(const at::Tensor& given, const at::Tensor& gate) {
    const c10::cuda::CUDAGuard guard(given.device());
    const auto x = given.contiguous();
    check_same("sigmoid_mul", x, gate);
    TORCH_CHECK(gate.stride(2) == 1, "sigmoid_mul: dense heads are needed");
    auto y = at::empty(x.sizes(), x.options());
    if (x.numel() > 0) {
        cuda::sigmoid_mul_forward(
            type_of(x), x.const_data_ptr(), gate.const_data_ptr(), y.mutable_data_ptr(), gate.size(0), gate.size(1), gate.size(2), gate.stride(0),
            gate.stride(1), stream());
        C10_CUDA_KERNEL_LAUNCH_CHECK();
    }
    return y;
}

std::tuple<at::Tensor, at::Tensor> opened_gradients(const at::Tensor& given, const at::Tensor& given_x, const at::Tensor& gate) {
    const c10::cuda::CUDAGuard guard(given.device());
    const auto dy = given.contiguous(), x = given_x.contiguous();
    check_same("sigmoid_mul", dy, x);
    check_same("sigmoid_mul", x, gate);
    TORCH_CHECK(gate.stride(2) == 1, "sigmoid_mul: dense heads are needed");
    auto dx = at::empty(x.sizes(), x.options()), dgate = at::empty(gate.sizes(), gate.options());
    if (x.numel() > 0) {
        cuda::sigmoid_mul_backward(
            type_of(x), dy.const_data_ptr(), x.const_data_ptr(), gate.const_data_ptr(), dx.mutable_data_ptr(), dgate.mutable_data_ptr(), gate.size(0),
            gate.size(1), gate.size(2), gate.stride(0), gate.stride(1), stream());
        C10_CUDA_KERNEL_LAUNCH_CHECK();
    }
    return {dx, dgate};
}

std::tuple<at::Tensor, at::Tensor> gates(const at::Tensor& a, const at::Tensor& b, const at::Tensor& rate, const at::Tensor& step) {
    const c10::cuda::CUDAGuard guard(a.device());
    auto g = at::empty(a.sizes(), a.options()), beta = at::empty(a.sizes(), a.options());
    if (a.numel() > 0) {
        cuda::delta_gates_forward(
            a.const_data_ptr<float>(), b.const_data_ptr<float>(), rate.const_data_ptr<float>(), step.const_data_ptr<float>(), g.mutable_data_ptr<float>(),
            beta.mutable_data_ptr<float>(), a.size(0), a.size(1), stream());
        C10_CUDA_KERNEL_LAUNCH_CHECK();
    }
    return {g, beta};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor> gate_gradients(
    const at::Tensor& dg, const at::Tensor& dbeta, const at::Tensor& a, const at::Tensor& rate, const at::Tensor& step, const at::Tensor& g,
    const at::Tensor& beta) {
    const c10::cuda::CUDAGuard guard(a.device());
    auto da = at::empty(a.sizes(), a.options()), db = at::empty(a.sizes(), a.options());
    auto drate = at::empty(rate.sizes(), rate.options()), dstep = at::empty(step.sizes(), step.options());
    if (rate.numel() > 0) {
        cuda::delta_gates_backward(
            dg.const_data_ptr<float>(), dbeta.const_data_ptr<float>(), a.const_data_ptr<float>(), rate.const_data_ptr<float>(), step.const_data_ptr<float>(),
            g.const_data_ptr<float>(), beta.const_data_ptr<float>(), da.mutable_data_ptr<float>(), db.mutable_data_ptr<float>(),
            drate.mutable_data_ptr<float>(), dstep.mutable_data_ptr<float>(), a.size(0), a.size(1), stream());
        C10_CUDA_KERNEL_LAUNCH_CHECK();
    }
    return {da, db, drate, dstep};
}

} // namespace
} // namespace fovea::cuda

TORCH_LIBRARY_IMPL(fovea, CUDA, library) {
    using namespace fovea;
    library.impl("delta_rule_forward", cuda::rule);
    library.impl("delta_rule_backward", cuda::rule_gradients);
    library.impl("delta_steps_forward", cuda::steps);
    library.impl("short_convolution_forward", cuda::convolved);
    library.impl("short_convolution_backward", cuda::convolution_gradients);
    library.impl("sigmoid_mul_forward", cuda::opened);
    library.impl("sigmoid_mul_backward", cuda::opened_gradients);
    library.impl("delta_gates_forward", cuda::gates);
    library.impl("delta_gates_backward", cuda::gate_gradients);
}
#endif
