// fovea::attention: block-diagonal attention over packed tokens. On the CPU in blocks that stay in the caches, forward with the softmax corrected from block
// to block (arXiv 1805.02867, 2205.14135), backward from the forward's log-sum-exp; scores and sums are fp32. Each head of a segment is worked on by one
// thread from its first token on, so no result depends on what else is packed, or on the number of threads. Half of the time of products by a library
// went into calls of a size that it was not made for.
#include "attention_heads.h"
#include "attention_varlen.h"
#include "dispatch.h"
#include "workers.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <memory>
#include <vector>

namespace fovea {
namespace {

// The segments, their key heads, and, where there are too few of those for all threads, the query heads that share one.
struct Work {
    std::vector<std::pair<int64_t, int64_t>> segments; // start and length, the longest first
    int64_t groups, ratio, parts;

    Work(at::IntArrayRef boundaries, int64_t heads, int64_t groups) : groups(groups), ratio(heads / groups) {
        for (size_t i = 1; i < boundaries.size(); i++) {
            TORCH_CHECK(boundaries[i] >= boundaries[i - 1], "attention: boundaries must not fall");
            if (boundaries[i] > boundaries[i - 1]) {
                segments.emplace_back(boundaries[i - 1], boundaries[i] - boundaries[i - 1]);
            }
        }
        std::stable_sort(segments.begin(), segments.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
        parts = static_cast<int64_t>(segments.size()) * groups >= 2 * at::get_num_threads() ? 1 : ratio;
    }

    int64_t longest() const { return segments.empty() ? 0 : segments.front().second; }

    struct Task {
        int64_t start, length, group, head, heads; // the query heads [head, head + heads)
    };

    template <class MakeWorker>
    void share_out(const MakeWorker& make) const {
        fovea::share_out(static_cast<int64_t>(segments.size()) * groups * parts, [&] {
            return [this, worker = make()](int64_t i) {
                const auto [start, length] = segments[i / (groups * parts)];
                const auto group = i / parts % groups, heads = ratio / parts;
                worker(Task{start, length, group, group * ratio + i % parts * heads, heads});
            };
        });
    }
};

// Writes sums [length, padded] as the rows of a head.
template <class T>
void write_sums(const float* sums, int64_t padded, int64_t length, int64_t size, const Head<T>& to) {
    for (int64_t i = 0; i < length; i++) {
        row_scaled(sums + i * padded, 1, to.at(i), size);
    }
}

struct PackedAttention : torch::autograd::Function<PackedAttention> {
    static at::Tensor forward(
        torch::autograd::AutogradContext* context, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, at::IntArrayRef boundaries, bool causal,
        double scale, int64_t tiles) {
        auto out = at::empty({q.size(0), q.size(1), q.size(2)}, q.options());
        auto lse = at::empty({q.size(1), q.size(0)}, q.options().dtype(at::kFloat));
        const Work work(boundaries, q.size(1), k.size(1));
        by_type(q, [&](auto zero) {
            using T = decltype(zero);
            by_tiles<T>(static_cast<TileKind>(tiles), [&](auto shape) {
                work.share_out([&] {
                    return [&, worker = std::make_shared<Forward<decltype(shape), T>>(q.size(2), work.longest())](const Work::Task& task) {
                        worker->use(head_of<T>(k, task.start, task.group), head_of<T>(v, task.start, task.group), task.length);
                        for (auto head = task.head; head < task.head + task.heads; head++) {
                            worker->attend(
                                head_of<T>(q, task.start, head), causal, static_cast<float>(scale), head_of<T>(out, task.start, head),
                                mutable_data_of<float>(lse) + head * q.size(0) + task.start);
                        }
                    };
                });
            });
        });
        context->save_for_backward({q, k, v, out, lse});
        context->saved_data["boundaries"] = boundaries.vec();
        context->saved_data["causal"] = causal;
        context->saved_data["scale"] = scale;
        context->saved_data["tiles"] = tiles;
        return out;
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
        const auto saved = context->get_saved_variables();
        const auto &q = saved[0], &k = saved[1], &v = saved[2], &out = saved[3], &lse = saved[4];
        const auto causal = context->saved_data["causal"].toBool();
        const auto scale = static_cast<float>(context->saved_data["scale"].toDouble());
        const auto boundaries = context->saved_data["boundaries"].toIntVector();
        const auto tiles = context->saved_data["tiles"].toInt();
        const auto dout = gradients[0].contiguous();
        auto dq = at::empty(q.sizes(), q.options()), dk = at::empty(k.sizes(), k.options()), dv = at::empty(v.sizes(), v.options());
        const Work work(boundaries, q.size(1), k.size(1));
        // Query heads apart leave their sums here, to be added in their order.
        const auto apart = work.parts > 1;
        const auto sums = apart ? at::empty({2, q.size(1), q.size(0), q.size(2)}, lse.options()) : at::Tensor();
        by_type(q, [&](auto zero) {
            using T = decltype(zero);
            by_tiles<T>(static_cast<TileKind>(tiles), [&](auto shape) {
                work.share_out([&] {
                    return [&, worker = std::make_shared<Differentiator<decltype(shape), T>>(q.size(2), work.longest(), work.ratio > 1)](
                               const Work::Task& task) {
                        (*worker)(task, q, k, v, out, lse, dout, causal, scale, dq, dk, dv, sums);
                    };
                });
            });
            if (apart) {
                add_apart<T>(work, sums, dk, dv);
            }
        });
        return {dq, dk, dv, at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor()};
    }

private:
    template <class Tiles, class T>
    struct Differentiator {
        Backward<Tiles, T> backward;
        int64_t size, padded;
        Scratch scratch;
        float *dk_all = nullptr, *dv_all = nullptr;

        Differentiator(int64_t size, int64_t longest, bool several)
            : backward(size, longest), size(size), padded(Blocks<Tiles, T>{size}.padded()) {
            if (several) {
                dk_all = scratch.numbers(longest * padded);
                dv_all = scratch.numbers(longest * padded);
            }
        }

        void operator()(
            const Work::Task& task, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, const at::Tensor& out, const at::Tensor& lse,
            const at::Tensor& dout, bool causal, float scale, const at::Tensor& dq, const at::Tensor& dk, const at::Tensor& dv, const at::Tensor& sums) {
            const auto [start, length, group, first, heads] = task;
            backward.use(head_of<T>(k, start, group), head_of<T>(v, start, group), length);
            for (auto head = first; head < first + heads; head++) {
                backward.differentiate(
                    head_of<T>(q, start, head), head_of<T>(out, start, head), head_of<T>(dout, start, head),
                    data_of<float>(lse) + head * q.size(0) + start, causal, scale, head_of<T>(dq, start, head));
                if (sums.defined()) {
                    write_sums(backward.dk(), padded, length, size, head_of<float>(sums[0].transpose(0, 1), start, head));
                    write_sums(backward.dv(), padded, length, size, head_of<float>(sums[1].transpose(0, 1), start, head));
                } else if (heads > 1) {
                    gather(backward.dk(), dk_all, length, head == first);
                    gather(backward.dv(), dv_all, length, head == first);
                }
            }
            if (!sums.defined()) {
                write_sums(heads > 1 ? dk_all : backward.dk(), padded, length, size, head_of<T>(dk, start, group));
                write_sums(heads > 1 ? dv_all : backward.dv(), padded, length, size, head_of<T>(dv, start, group));
            }
        }

        void gather(const float* from, float* to, int64_t length, bool first) const {
            if (first) {
                std::copy_n(from, length * padded, to);
            } else {
                row_added(from, to, length * padded);
            }
        }
    };

    // dk and dv from the sums [H, T, D] of their query heads.
    template <class T>
    static void add_apart(const Work& work, const at::Tensor& sums, const at::Tensor& dk, const at::Tensor& dv) {
        const auto tokens = sums.size(2), size = sums.size(3);
        at::parallel_for(0, 2 * work.groups * tokens, 64, [&](int64_t begin, int64_t end) {
            std::vector<float> sum(size);
            for (auto i = begin; i < end; i++) {
                const auto which = i / (work.groups * tokens), group = i / tokens % work.groups, token = i % tokens;
                const auto* from = data_of<float>(sums) + ((which * work.groups + group) * work.ratio * tokens + token) * size;
                std::copy_n(from, size, sum.data());
                for (int64_t r = 1; r < work.ratio; r++) {
                    row_added(from + r * tokens * size, sum.data(), size);
                }
                row_scaled(sum.data(), 1, head_of<T>(which == 0 ? dk : dv, token, group).data, size);
            }
        });
    }
};

// The numbers of a token's head side by side, or a copy where they are not.
at::Tensor with_rows(const at::Tensor& x) { return x.stride(2) == 1 ? x : x.contiguous(); }

at::Tensor on_cpu(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, at::IntArrayRef boundaries, bool causal, double scale, TileKind tiles) {
    if (q.scalar_type() == at::kHalf) {
        // Scores are summed in fp32 in any case, and CPUs without instructions for fp16 products are the rule.
        return on_cpu(q.to(at::kFloat), k.to(at::kFloat), v.to(at::kFloat), boundaries, causal, scale, tiles).to(at::kHalf);
    }
    TORCH_CHECK(fused_on_cpu(q) && k.scalar_type() == q.scalar_type() && v.scalar_type() == q.scalar_type(), "attention: fp32, bf16 or fp16 on the CPU");
    return PackedAttention::apply(with_rows(q), with_rows(k), with_rows(v), boundaries, causal, scale, static_cast<int64_t>(tiles));
}

void check(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, at::IntArrayRef boundaries) {
    TORCH_CHECK(
        q.dim() == 3 && k.dim() == 3 && v.sizes() == k.sizes() && q.size(1) % k.size(1) == 0 && q.size(2) == k.size(2) && q.size(0) == k.size(0),
        "attention: q ", q.sizes(), ", k ", k.sizes(), ", v ", v.sizes());
    TORCH_CHECK(
        boundaries.size() > 1 && boundaries.front() == 0 && boundaries.back() == q.size(0), "attention: boundaries must run from 0 to ", q.size(0));
    check_one_device("attention", {&q, &k, &v});
}

// q [T, H, D], k and v [T, G, D] with H a multiple of G; boundaries are cumulated lengths from 0 to T, offsets the same as int32 on the device of q, which
// only the CPU can do without. Returns [T, H, D].
at::Tensor attention(
    const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, at::IntArrayRef boundaries, bool causal, double scale,
    const std::optional<at::Tensor>& offsets) {
    check(q, k, v, boundaries);
    if (q.is_cpu()) {
        return on_cpu(q, k, v, boundaries, causal, scale, best_tiles());
    }
    TORCH_CHECK(
        offsets && offsets->device() == q.device() && offsets->scalar_type() == at::kInt && offsets->numel() == static_cast<int64_t>(boundaries.size()),
        "attention: on ", q.device(), " the boundaries are needed there too, as 32-bit integers");
    return attention_varlen(q, k, v, *offsets, boundaries, causal, scale);
}

} // namespace
} // namespace fovea

TORCH_LIBRARY_FRAGMENT(fovea, library) {
    library.def(
        "attention(Tensor q, Tensor k, Tensor v, int[] boundaries, bool causal, float scale, Tensor? offsets=None) -> Tensor", fovea::attention);
    // For tests: on the CPU, with the tiles of a simpler processor (1 without AVX-512, 2 without its bf16 products, 3 with both).
    library.def(
        "attention_by_tiles(Tensor q, Tensor k, Tensor v, int[] boundaries, bool causal, float scale, int tiles) -> Tensor",
        [](const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, at::IntArrayRef boundaries, bool causal, double scale, int64_t tiles) {
            fovea::check(q, k, v, boundaries);
            TORCH_CHECK(q.is_cpu() && tiles >= 1 && tiles <= 3, "attention_by_tiles: the CPU, and tiles from 1 to 3");
            return fovea::on_cpu(q, k, v, boundaries, causal, scale, static_cast<fovea::TileKind>(tiles));
        });
}
