// Attention over packed tokens away from the CPU: libtorch's flash operator where it takes the element type and card, its memory-efficient one
// otherwise, and separate products where a build has neither. Lengths come from the host, so that nothing waits for the device.
#include "attention_varlen.h"
#include "dispatch.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <map>
#include <mutex>

namespace fovea {
namespace {

// Both operators read vectors of 8 elements; zeros beside a head change neither scores nor values.
constexpr int64_t head_multiple = 8;
constexpr int64_t largest_flash_head = 256;

enum class Kind : int64_t { Flash = 0, Efficient = 1 };

// What an operator said to its first call for an element type and size of heads; no words when it took them. A refusal counts how often it was met.
struct Answers {
    using Question = std::tuple<Kind, at::ScalarType, int64_t>;
    struct Answer {
        std::string words;
        int64_t times = 0;
    };
    std::mutex gate;
    std::map<Question, Answer> known;

    // Whether the operator took such heads before; nothing when it was never asked.
    std::optional<bool> find(const Question& question) {
        const std::lock_guard lock(gate);
        const auto found = known.find(question);
        if (found == known.end()) {
            return std::nullopt;
        }
        found->second.times += found->second.words.empty() ? 0 : 1;
        return found->second.words.empty();
    }

    void note(const Question& question, std::string words) {
        const std::lock_guard lock(gate);
        known.emplace(question, Answer{std::move(words), 1});
    }
};

Answers& answers() {
    static Answers all;
    return all;
}

const char* name_of(Kind kind) { return kind == Kind::Flash ? "flash attention" : "memory-efficient attention"; }

std::string first_line(const c10::Error& e) {
    constexpr size_t most = 200;
    const std::string words = e.what_without_backtrace();
    return words.substr(0, std::min(most, words.find('\n')));
}

int64_t longest(at::IntArrayRef boundaries) {
    int64_t most = 0;
    for (size_t i = 1; i < boundaries.size(); i++) {
        most = std::max(most, boundaries[i] - boundaries[i - 1]);
    }
    return most;
}

at::Tensor padded(const at::Tensor& x) {
    const auto rest = x.size(2) % head_multiple;
    const auto y = rest == 0 ? x : at::constant_pad_nd(x, {0, head_multiple - rest});
    return y.stride(2) == 1 ? y : y.contiguous();
}

at::Tensor cut(const at::Tensor& x, int64_t size) { return x.size(-1) == size ? x : x.slice(-1, 0, size); }

// [T, G, D] as [1, T, H, D], each head repeated for its queries.
at::Tensor repeated(const at::Tensor& x, int64_t heads) {
    const auto ratio = heads / x.size(1);
    return (ratio == 1 ? x : x.unsqueeze(2).expand({x.size(0), x.size(1), ratio, x.size(2)}).reshape({x.size(0), heads, x.size(2)})).unsqueeze(0);
}

// The gradient of what `repeated` made, [1, T, H, D], back as [T, G, D].
at::Tensor gathered(const at::Tensor& x, int64_t groups) {
    const auto heads = x.size(2);
    return heads == groups ? x.squeeze(0) : x.squeeze(0).view({x.size(1), groups, heads / groups, x.size(3)}).sum(2);
}

using Forward = std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor>;

// q [T, H, D], k and v [T, G, D], offsets int32 [N + 1] on their device. Returns the output, the log-sum-exp and two tensors of random state, the last
// three as the operator wants them back.
Forward forward_of(
    int64_t kind, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& offsets, int64_t most, bool causal, double scale) {
    if (kind == static_cast<int64_t>(Kind::Flash)) {
        auto [out, lse, seed, offset, mask] = at::_flash_attention_forward(q, k, v, offsets, offsets, most, most, 0.0, causal, false, scale);
        return {out, lse, seed, offset};
    }
    const auto heads = q.size(1);
    auto result = at::_efficient_attention_forward(
        q.unsqueeze(0), repeated(k, heads), repeated(v, heads), std::nullopt, offsets, offsets, most, most, 0.0, causal ? 1 : 0, true, scale);
    return {std::get<0>(result).squeeze(0), std::get<1>(result), std::get<2>(result), std::get<3>(result)};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> backward_of(
    int64_t kind, const at::Tensor& dout, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& out, const at::Tensor& lse,
    const at::Tensor& seed, const at::Tensor& offset, const at::Tensor& offsets, int64_t most, bool causal, double scale) {
    if (kind == static_cast<int64_t>(Kind::Flash)) {
        return at::_flash_attention_backward(dout, q, k, v, out, lse, offsets, offsets, most, most, 0.0, causal, seed, offset, scale);
    }
    const auto heads = q.size(1), groups = k.size(1);
    auto [dq, dk, dv, dbias] = at::_efficient_attention_backward(
        dout.unsqueeze(0), q.unsqueeze(0), repeated(k, heads), repeated(v, heads), std::nullopt, out.unsqueeze(0), offsets, offsets, most, most, lse, 0.0,
        seed, offset, causal ? 1 : 0, false, scale);
    return {dq.squeeze(0), gathered(dk, groups), gathered(dv, groups)};
}

// The shapes alone, where there is no memory.
Forward forward_shapes(
    int64_t, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& offsets, int64_t, bool, double) {
    check_one_device("attention", {&q, &k, &v, &offsets});
    return {at::empty(q.sizes(), q.options()), at::empty({q.size(1), q.size(0)}, q.options().dtype(at::kFloat)), at::empty({2}, q.options().dtype(at::kLong)),
        at::empty({}, q.options().dtype(at::kLong))};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> backward_shapes(
    int64_t, const at::Tensor& dout, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& out, const at::Tensor&,
    const at::Tensor&, const at::Tensor&, const at::Tensor& offsets, int64_t, bool, double) {
    check_one_device("attention", {&q, &dout, &k, &v, &out, &offsets});
    return {at::empty(q.sizes(), q.options()), at::empty(k.sizes(), k.options()), at::empty(v.sizes(), v.options())};
}

struct VarlenAttention : torch::autograd::Function<VarlenAttention> {
    static at::Tensor forward(
        torch::autograd::AutogradContext* context, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& offsets, int64_t kind,
        int64_t most, bool causal, double scale) {
        static const auto kernel = by_device("fovea::attention_varlen_forward", forward_of);
        auto [out, lse, seed, offset] = kernel.call(kind, padded(q), padded(k), padded(v), offsets, most, causal, scale);
        context->save_for_backward({q, k, v, out, lse, seed, offset, offsets});
        context->saved_data["kind"] = kind;
        context->saved_data["most"] = most;
        context->saved_data["causal"] = causal;
        context->saved_data["scale"] = scale;
        return cut(out, q.size(2));
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
        static const auto kernel = by_device("fovea::attention_varlen_backward", backward_of);
        const auto saved = context->get_saved_variables();
        const auto& data = context->saved_data;
        const auto size = saved[0].size(2);
        auto [dq, dk, dv] = kernel.call(
            data.at("kind").toInt(), padded(gradients[0]).contiguous(), padded(saved[0]), padded(saved[1]), padded(saved[2]), saved[3], saved[4], saved[5],
            saved[6], saved[7], data.at("most").toInt(), data.at("causal").toBool(), data.at("scale").toDouble());
        return {cut(dq, size), cut(dk, size), cut(dv, size), at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor()};
    }
};

bool flash_takes(const at::Tensor& q) {
    return (q.scalar_type() == at::kBFloat16 || q.scalar_type() == at::kHalf) && q.size(2) <= largest_flash_head;
}

// Whether an operator says that it is not for this card, build, element type or size of heads. Whatever else goes wrong, memory or an earlier kernel, is no
// refusal.
bool is_refusal(const c10::Error& e) {
    if (dynamic_cast<const c10::NotImplementedError*>(&e) != nullptr) {
        return true;
    }
    constexpr const char* words[] = {
        "was not enabled for build", "not compiled", "only support", "head dim", "no kernel found to launch", "Expected GPU capability"};
    const std::string said = e.what_without_backtrace();
    return said.find("CUDA error") == std::string::npos
        && std::any_of(std::begin(words), std::end(words), [&](const char* part) { return said.find(part) != std::string::npos; });
}

// Runs body; false when the card or the build refuses such heads.
template <class Body>
bool accepted(Kind kind, const at::Tensor& q, Body&& body) {
    const Answers::Question question{kind, q.scalar_type(), q.size(2)};
    const auto known = answers().find(question);
    if (known && !*known) {
        return false;
    }
    try {
        body();
    } catch (const c10::Error& e) {
        if (known || !is_refusal(e)) {
            throw;
        }
        answers().note(question, first_line(e));
        TORCH_WARN("attention takes a slower way, because ", name_of(kind), " is refused: ", first_line(e));
        return false;
    }
    if (!known) {
        answers().note(question, {});
    }
    return true;
}

} // namespace

at::Tensor attention_by_segments(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, at::IntArrayRef boundaries, bool causal, double scale) {
    const auto heads = q.size(1), ratio = heads / k.size(1);
    std::vector<at::Tensor> parts;
    for (size_t i = 1; i < boundaries.size(); i++) {
        const auto of = [&](const at::Tensor& x) { return x.slice(0, boundaries[i - 1], boundaries[i]).transpose(0, 1).unsqueeze(0); };
        if (boundaries[i] > boundaries[i - 1]) {
            const auto keys = ratio == 1 ? of(k) : of(k).repeat_interleave(ratio, 1), values = ratio == 1 ? of(v) : of(v).repeat_interleave(ratio, 1);
            parts.push_back(at::scaled_dot_product_attention(of(q), keys, values, std::nullopt, 0.0, causal, scale).squeeze(0).transpose(0, 1));
        }
    }
    return at::cat(parts);
}

at::Tensor attention_varlen(
    const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& offsets, at::IntArrayRef boundaries, bool causal, double scale) {
    const auto most = longest(boundaries);
    at::Tensor out;
    const auto run = [&](Kind kind) { out = VarlenAttention::apply(q, k, v, offsets, static_cast<int64_t>(kind), most, causal, scale); };
    const auto taken = [&](Kind kind) { return accepted(kind, q, [&] { run(kind); }); };
    return (flash_takes(q) && taken(Kind::Flash)) || taken(Kind::Efficient) ? out : attention_by_segments(q, k, v, boundaries, causal, scale);
}

std::string attention_refusals() {
    const std::lock_guard lock(answers().gate);
    std::string lines;
    for (const auto& [question, answer] : answers().known) {
        if (!answer.words.empty()) {
            const auto& [kind, type, head] = question;
            lines += c10::str(name_of(kind), "\t", type, ", heads of ", head, "\t", answer.times, "\t", answer.words, "\n");
        }
    }
    return lines;
}

} // namespace fovea

TORCH_LIBRARY_FRAGMENT(fovea, library) {
    fovea::define_kernel(
        library,
        "attention_varlen_forward(int kind, Tensor q, Tensor k, Tensor v, Tensor offsets, int most, bool causal, float scale)"
        " -> (Tensor, Tensor, Tensor, Tensor)",
        fovea::forward_of);
    fovea::define_kernel(
        library,
        "attention_varlen_backward(int kind, Tensor dout, Tensor q, Tensor k, Tensor v, Tensor out, Tensor lse, Tensor seed, Tensor offset, Tensor offsets,"
        " int most, bool causal, float scale) -> (Tensor, Tensor, Tensor)",
        fovea::backward_of);
    // For tests: as attention, on any device the way that cards go.
    library.def(
        "attention_varlen(Tensor q, Tensor k, Tensor v, Tensor offsets, int[] boundaries, bool causal, float scale) -> Tensor", fovea::attention_varlen);
    library.def("attention_by_segments(Tensor q, Tensor k, Tensor v, int[] boundaries, bool causal, float scale) -> Tensor", fovea::attention_by_segments);
}

TORCH_LIBRARY_IMPL(fovea, Meta, library) {
    library.impl("attention_varlen_forward", fovea::forward_shapes);
    library.impl("attention_varlen_backward", fovea::backward_shapes);
}
