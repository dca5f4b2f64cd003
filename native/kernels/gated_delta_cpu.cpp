// The gated delta rule on the CPU, chunk by chunk (arXiv 2406.06484, 2412.06464). Within a chunk, with G the sums of g from its first token on and
// E_ij = exp(G_i - G_j) for j <= i, the corrections d solve
//     (1 + beta E k k^T, below the diagonal) d = beta (v - exp(G) k S)
// and then  out = exp(G) q S + (E q k^T) d,  S = exp(G_last) S + (exp(G_last - G) k)^T d.
// Chunks count from the first token of a segment, and one thread works on a key head of a segment from there on, so that no result depends on what else is
// packed or on the number of threads. Backward keeps nothing of the forward pass: it computes a segment's states and corrections again, in memory of its
// thread, and goes back through the chunks. All sums are fp32.
#include "gated_delta.h"
#include "gated_delta_panels.h"
#include "gated_delta_rows.h"
#include "gated_delta_work.h"
#include "tile_blocks.h"

#include <ATen/ATen.h>

#include <memory>

namespace fovea {
namespace {

constexpr auto C = delta_chunk;

int64_t up_to_panels(int64_t size, int64_t wide) { return std::max<int64_t>((size + wide - 1) / wide, 1) * wide; }

// What both passes do with a chunk of one key head, in panels of W columns.
template <class Tiles, class T>
class Chunks {
protected:
    using P = PanelProducts<Tiles>;
    static constexpr int64_t W = P::W;

    Chunks(const DeltaWork& work)
        : work(work), inputs(work.inputs), ratio(inputs.heads() / inputs.key_heads()), keys(inputs.keys()), key_width(up_to_panels(keys, W)),
          value_width(up_to_panels(work.part_size, W)), scale(static_cast<float>(1 / std::sqrt(static_cast<double>(keys)))) {
        q = chunk(key_width);
        k = chunk(key_width);
        turned_k = matrix(key_width, C);
        kk = chunk(C);
        qk = chunk(C);
        scores = chunk(C);
        system = chunk(C);
        d = chunk(value_width);
        y = chunk(value_width);
        states = state_matrices();
    }

    Panels matrix(int64_t rows, int64_t columns) { return {scratch.numbers(rows * columns), rows}; }
    Panels chunk(int64_t columns) { return matrix(C, columns); }

    // Of each value head; what lies behind the last key is never read.
    std::vector<Panels> state_matrices() {
        std::vector<Panels> all(ratio);
        for (auto& state : all) {
            state = matrix(key_width, value_width);
            std::fill_n(state.data, state_numbers(), 0.0f);
        }
        return all;
    }

    int64_t state_numbers() const { return key_width * value_width; }
    static int64_t count_of(const DeltaWork::Task& task, int64_t from) { return std::min(C, task.length - from); }

    Head<T> rows_of(const at::Tensor& x, const DeltaWork::Task& task, int64_t from, int64_t head) const { return head_of<T>(x, task.start + from, head); }
    // Keys and their products, from token `from` of the segment on; queries too where they are wanted.
    void use_keys(const DeltaWork::Task& task, int64_t from, bool queries) {
        const auto count = count_of(task, from);
        const auto of_k = rows_of(inputs.k, task, from, task.key_head);
        delta_load_unit(of_k.data, of_k.stride, count, keys, W, 1, k.data, k_lengths);
        P::turn(k, count, keys, turned_k);
        P::lower_product(k, count, keys, turned_k, kk);
        if (queries) {
            const auto of_q = rows_of(inputs.q, task, from, task.key_head);
            delta_load_unit(of_q.data, of_q.stride, count, keys, W, scale, q.data, q_lengths);
            P::lower_product(q, count, keys, turned_k, qk);
        }
    }

    void use_gates(const DeltaWork::Task& task, int64_t from, int64_t head, float* decay) {
        const auto at = (task.start + from) * inputs.heads() + head, count = count_of(task, from);
        delta_gates(data_of<float>(inputs.g) + at, data_of<float>(inputs.beta) + at, inputs.heads(), count, gates);
        delta_scores(gates, kk.data, qk.data, count, W, decay, scores.data, system.data);
    }

    // The corrections of a value head; without a state where it is 0.
    void correct(const DeltaWork::Task& task, int64_t from, int64_t head, const Panels* state) {
        const auto count = count_of(task, from), panels = P::panels(task.columns);
        const auto v = rows_of(inputs.v, task, from, head);
        delta_load(v.data + task.column, v.stride, count, task.columns, W, d.data);
        if (state != nullptr) {
            P::times(k, count, keys, *state, task.columns, y, false);
        }
        delta_residual(gates, state == nullptr ? nullptr : y.data, count, panels, W, d.data);
        for (int64_t r = 0; r < count; r += Tiles::rows) {
            const auto end = std::min<int64_t>(r + Tiles::rows, count);
            for (int64_t p = 0; p < panels && r > 0; p++) {
                P::rows_times(system, r, end, r, P::panel(d, p), P::panel(d, p), true);
            }
            delta_solve(system.data, r, end, panels, W, d.data);
        }
    }

    // The state behind the chunk. Changes the corrections.
    void advance(const DeltaWork::Task& task, int64_t from, const Panels& state, bool from_zero) {
        const auto count = count_of(task, from);
        delta_scale_rows(gates.left, count, P::panels(task.columns), W, d.data);
        if (!from_zero) {
            delta_scale(gates.last, state_numbers(), state.data);
        }
        P::turned_times(k, keys, count, d, task.columns, state, !from_zero);
    }

    // Columns of the states of a segment from a tensor [N, H, K, V]; an undefined one leaves them.
    void take_states(const DeltaWork::Task& task, const at::Tensor& from, const std::vector<Panels>& to) const {
        for (int64_t r = 0; from.defined() && r < ratio; r++) {
            const auto* rows = data_of<float>(from) + state_place(task, r) + task.column;
            for (int64_t i = 0; i < keys; i++) {
                for (int64_t p = 0; p < P::panels(task.columns); p++) {
                    auto *row = P::panel(to[r], p) + i * W, *end = row + W;
                    std::fill(std::copy_n(rows + i * inputs.values() + p * W, std::min(W, task.columns - p * W), row), end, 0.0f);
                }
            }
        }
    }

    int64_t state_place(const DeltaWork::Task& task, int64_t r) const {
        return (task.segment * inputs.heads() + task.key_head * ratio + r) * keys * inputs.values();
    }

    void write_states(const DeltaWork::Task& task, const std::vector<Panels>& from, bool zero, const at::Tensor& to) const {
        for (int64_t r = 0; r < ratio; r++) {
            auto* rows = mutable_data_of<float>(to) + state_place(task, r) + task.column;
            for (int64_t i = 0; i < keys; i++) {
                for (int64_t p = 0; p < P::panels(task.columns); p++) {
                    const auto count = std::min(W, task.columns - p * W);
                    auto* row = rows + i * inputs.values() + p * W;
                    zero ? std::fill_n(row, count, 0.0f) : std::copy_n(P::panel(from[r], p) + i * W, count, row);
                }
            }
        }
    }

    const SmallAreZero small_are_zero;
    const DeltaWork& work;
    const DeltaInputs& inputs;
    const int64_t ratio, keys, key_width, value_width;
    const float scale;
    Scratch scratch;
    Panels q, k, turned_k, kk, qk, scores, system, d, y;
    std::vector<Panels> states;
    DeltaGates gates;
    float q_lengths[C], k_lengths[C];
};

template <class Tiles, class T>
class Forward : Chunks<Tiles, T> {
    using Base = Chunks<Tiles, T>;
    using P = typename Base::P;
    using Base::inputs, Base::ratio, Base::keys, Base::q, Base::d, Base::y, Base::states, Base::gates, Base::scores;

public:
    Forward(const DeltaWork& work, const at::Tensor& out, const at::Tensor& last) : Base(work), out(out), last(last) {}

    void run(const DeltaWork::Task& task) {
        this->take_states(task, inputs.initial, states);
        bool zero = !inputs.initial.defined();
        for (int64_t from = 0; from < task.length; from += C) {
            this->use_keys(task, from, true);
            const auto count = this->count_of(task, from);
            const auto goes_on = from + C < task.length || last.size(0) > 0;
            for (int64_t r = 0; r < ratio; r++) {
                const auto head = task.key_head * ratio + r;
                this->use_gates(task, from, head, nullptr);
                this->correct(task, from, head, zero ? nullptr : &states[r]);
                if (!zero) {
                    P::times(q, count, keys, states[r], task.columns, y, false);
                    delta_scale_rows(gates.grown, count, P::panels(task.columns), P::W, y.data);
                }
                P::lower_times(scores, count, d, task.columns, y, !zero);
                const auto to = this->rows_of(out, task, from, head);
                delta_store(y.data, P::W, count, task.columns, nullptr, to.data + task.column, to.stride);
                if (goes_on) {
                    this->advance(task, from, states[r], zero);
                }
            }
            zero = false;
        }
        if (last.size(0) > 0) {
            this->write_states(task, states, zero, last);
        }
    }

private:
    const at::Tensor &out, &last;
};

// Gradients by q and k, the latter's to be brought back from unit length, and by g and beta, of the parts of v that were worked on apart.
struct Apart {
    at::Tensor q, k, g, beta; // [parts, T, J or H, ...] in fp32; undefined where there is one part
};

template <class Tiles, class T>
class Backward : Chunks<Tiles, T> {
    using Base = Chunks<Tiles, T>;
    using P = typename Base::P;
    static constexpr auto W = P::W;
    using Base::inputs, Base::ratio, Base::keys, Base::key_width, Base::value_width, Base::q, Base::k, Base::d, Base::y, Base::kk, Base::states, Base::gates,
        Base::scores, Base::system, Base::scratch;

public:
    Backward(const DeltaWork& work, const at::Tensor& dout, const at::Tensor& dfinal, const DeltaGradients& to, const Apart& apart)
        : Base(work), dout(dout), dfinal(dfinal), to(to), apart(apart) {
        const auto chunks = (work.longest() + C - 1) / C;
        kept_corrections = scratch.numbers(chunks * ratio * C * value_width);
        kept_states = scratch.numbers(chunks * ratio * this->state_numbers());
        dstates = this->state_matrices();
        turned_dstate = this->matrix(value_width, key_width);
        turned_d = this->matrix(value_width, C);
        decay = this->chunk(C);
        dscores = this->chunk(C);
        dsystem = this->chunk(C);
        dy = this->chunk(value_width);
        dq = this->chunk(key_width);
        reads = this->chunk(key_width);
        writes = this->chunk(key_width);
        dq_all = this->chunk(key_width);
        dk_all = this->chunk(key_width);
    }

    void run(const DeltaWork::Task& task) {
        const auto chunks = (task.length + C - 1) / C;
        const auto from_zero = !inputs.initial.defined();
        go_forward(task, chunks, from_zero);
        bool zero = !dfinal.defined();
        this->take_states(task, dfinal, dstates);
        for (auto chunk = chunks - 1; chunk >= 0; chunk--) {
            const auto from = chunk * C, count = this->count_of(task, from);
            this->use_keys(task, from, true);
            for (int64_t r = 0; r < ratio; r++) {
                go_back(task, chunk, r, from_zero && chunk == 0, zero);
            }
            zero = false;
            write_keys(task, from, count);
        }
        if (to.initial.defined()) {
            this->write_states(task, dstates, zero, to.initial);
        }
    }

private:
    Panels kept_d(int64_t chunk, int64_t r) const { return {kept_corrections + (chunk * ratio + r) * C * value_width, C}; }
    Panels kept_state(int64_t chunk, int64_t r) const { return {kept_states + (chunk * ratio + r) * this->state_numbers(), value_width}; }
    // Corrections of every chunk, and the state before it, turned around.
    void go_forward(const DeltaWork::Task& task, int64_t chunks, bool zero) {
        this->take_states(task, inputs.initial, states);
        for (int64_t chunk = 0; chunk < chunks; chunk++, zero = false) {
            const auto from = chunk * C;
            this->use_keys(task, from, false);
            for (int64_t r = 0; r < ratio; r++) {
                this->use_gates(task, from, task.key_head * ratio + r, nullptr);
                if (!zero) {
                    P::turn(states[r], keys, task.columns, kept_state(chunk, r));
                }
                this->correct(task, from, task.key_head * ratio + r, zero ? nullptr : &states[r]);
                std::copy_n(d.data, C * value_width, kept_d(chunk, r).data);
                if (chunk + 1 < chunks) {
                    this->advance(task, from, states[r], zero);
                }
            }
        }
    }

    // Gradients of a value head in a chunk. `first`: the state before it is 0; `ends`: nothing is asked of the one behind it.
    void go_back(const DeltaWork::Task& task, int64_t chunk, int64_t r, bool first, bool ends) {
        const auto from = chunk * C, count = this->count_of(task, from), head = task.key_head * ratio + r, columns = task.columns;
        const auto panels = P::panels(columns), key_panels = P::panels(keys);
        const auto corrections = kept_d(chunk, r), state = kept_state(chunk, r), dstate = dstates[r];
        this->use_gates(task, from, head, decay.data);
        const auto of_dout = this->rows_of(dout, task, from, head);
        delta_load(of_dout.data + task.column, of_dout.stride, count, columns, W, dy.data);
        P::turn(corrections, count, columns, turned_d);

        // What is asked of the corrections, and through the system of what they were made from.
        if (!ends) {
            P::times(k, count, keys, dstate, columns, d, false);
            delta_scale_rows(gates.left, count, panels, W, d.data);
        }
        P::lower_turned_times(scores, count, dy, columns, d, !ends);
        solve_back(count, panels);
        const auto of_v = this->rows_of(inputs.v, task, from, head), dv = this->rows_of(to.v, task, from, head);
        delta_store(d.data, W, count, columns, gates.beta, dv.data + task.column, dv.stride);
        std::fill_n(dbeta, count, 0.0f);
        delta_dots(d.data, of_v.data + task.column, of_v.stride, count, columns, W, dbeta);

        if (!first) {
            P::times(d, count, columns, state, keys, reads, false);
            delta_read_gradient(gates, k.data, count, key_panels, W, reads.data, dbeta);
            P::times(dy, count, columns, state, keys, dq, false);
            delta_scale_rows(gates.grown, count, key_panels, W, dq.data);
        }
        P::lower_product(dy, count, columns, turned_d, dscores);
        P::lower_product(d, count, columns, turned_d, dsystem);
        delta_score_gradients(gates, decay.data, kk.data, count, W, dscores.data, dsystem.data, dbeta);
        double of_last = 0;
        if (!ends) {
            P::turn(dstate, keys, columns, turned_dstate);
            P::times(corrections, count, columns, turned_dstate, keys, writes, false);
            of_last = delta_write_gradient(gates, k.data, count, key_panels, W, writes.data);
            if (!first) {
                for (int64_t p = 0; p < key_panels; p++) {
                    of_last += gates.last * delta_dot(P::panel(state, p), P::panel(turned_dstate, p), columns * W);
                }
            }
        }
        P::lower_times(dscores, count, k, keys, dq, !first);
        P::lower_times(dsystem, count, k, keys, reads, !first);
        P::lower_turned_times(dscores, count, q, keys, writes, !ends);
        P::lower_turned_times(dsystem, count, k, keys, writes, true);
        delta_gather(q.data, k.data, dq.data, reads.data, writes.data, count, key_panels, W, r > 0, dq_all.data, dk_all.data, dsums);
        write_gates(task, from, count, head, of_last);

        if (!first || to.initial.defined()) {
            if (!ends) {
                delta_scale(gates.last, this->state_numbers(), dstate.data);
            }
            std::transform(gates.beta, gates.beta + count, gates.grown, factors, [](float beta, float grown) { return -beta * grown; });
            delta_scale_rows(factors, count, panels, W, d.data);
            delta_scale_rows(gates.grown, count, panels, W, dy.data);
            P::turned_times(k, keys, count, d, columns, dstate, !ends);
            P::turned_times(q, keys, count, dy, columns, dstate, true);
        }
    }

    // d = (1 - system)^-T d, from the last rows to the first.
    void solve_back(int64_t count, int64_t panels) {
        std::pair<int64_t, int64_t> parts[C];
        int64_t left = 0;
        P::each_part(count, [&](int64_t row, int64_t height) { parts[left++] = {row, height}; });
        while (left-- > 0) {
            const auto [row, height] = parts[left];
            const auto end = row + height;
            for (int64_t p = 0; p < panels && end < count; p++) {
                P::turned_part(system, row, height, end, count, P::panel(d, p), P::panel(d, p));
            }
            delta_solve_back(system.data, row, end, panels, W, d.data);
        }
    }

    void write_gates(const DeltaWork::Task& task, int64_t from, int64_t count, int64_t head, double of_last) {
        const auto heads = inputs.heads(), at = (task.start + from) * heads + head, all = inputs.tokens() * heads;
        auto* dg = apart.g.defined() ? mutable_data_of<float>(apart.g) + task.part * all : mutable_data_of<float>(to.g);
        auto* db = apart.g.defined() ? mutable_data_of<float>(apart.beta) + task.part * all : mutable_data_of<float>(to.beta);
        auto sum = of_last;
        for (auto i = count - 1; i >= 0; i--) {
            sum += dsums[i];
            dg[at + i * heads] = static_cast<float>(sum);
            db[at + i * heads] = dbeta[i];
        }
    }

    void write_keys(const DeltaWork::Task& task, int64_t from, int64_t count) {
        if (apart.q.defined()) {
            for (const auto& [all, to] : {std::pair(dq_all, apart.q), std::pair(dk_all, apart.k)}) {
                const auto rows = head_of<float>(to[task.part], task.start + from, task.key_head);
                delta_store(all.data, W, count, keys, nullptr, rows.data, rows.stride);
            }
            return;
        }
        const auto of_q = this->rows_of(to.q, task, from, task.key_head), of_k = this->rows_of(to.k, task, from, task.key_head);
        delta_store_unit(dq_all.data, q.data, W, count, keys, this->scale, this->q_lengths, of_q.data, of_q.stride);
        delta_store_unit(dk_all.data, k.data, W, count, keys, 1, this->k_lengths, of_k.data, of_k.stride);
    }

    const at::Tensor &dout, &dfinal;
    const DeltaGradients& to;
    const Apart& apart;
    float *kept_corrections, *kept_states;
    std::vector<Panels> dstates;
    Panels turned_dstate, turned_d, decay, dscores, dsystem, dy, dq, reads, writes, dq_all, dk_all;
    float dbeta[C], dsums[C], factors[C];
};

// Adds up what parts of v left, and brings the gradients of queries and keys back from unit length.
template <class T>
void join(const DeltaInputs& inputs, const Apart& apart, const DeltaGradients& to) {
    const auto heads = inputs.key_heads(), keys = inputs.keys();
    constexpr int64_t wide = 32;
    const auto dq = apart.q.sum(0), dk = apart.k.sum(0);
    const auto scale = static_cast<float>(1 / std::sqrt(static_cast<double>(keys)));
    fovea::share_out((inputs.tokens() + C - 1) / C * heads, [&] {
        auto scratch = std::make_shared<Scratch>();
        auto *unit = scratch->numbers(C * up_to_panels(keys, wide)), *gradient = scratch->numbers(C * up_to_panels(keys, wide));
        return [&, scratch, unit, gradient](int64_t i) {
            const auto first = i / heads * C, head = i % heads, count = std::min(C, inputs.tokens() - first);
            float lengths[C];
            for (const auto& [x, from, result, factor] : {std::tuple(inputs.q, dq, to.q, scale), std::tuple(inputs.k, dk, to.k, 1.0f)}) {
                const auto rows = head_of<T>(x, first, head), out = head_of<T>(result, first, head);
                const auto of_gradient = head_of<float>(from, first, head);
                delta_load_unit(rows.data, rows.stride, count, keys, wide, factor, unit, lengths);
                delta_load(of_gradient.data, of_gradient.stride, count, keys, wide, gradient);
                delta_store_unit(gradient, unit, wide, count, keys, factor, lengths, out.data, out.stride);
            }
        };
    });
    at::sum_out(const_cast<at::Tensor&>(to.g), apart.g, {0});
    at::sum_out(const_cast<at::Tensor&>(to.beta), apart.beta, {0});
}

template <class Body>
void by_panels(TileKind kind, Body&& body) {
#if defined(__x86_64__)
    if (std::min(kind, best_tiles()) != TileKind::narrow) {
        return body(WidePanels{});
    }
#endif
    body(NarrowPanels{});
}

} // namespace

std::tuple<at::Tensor, at::Tensor> delta_on_cpu(const DeltaInputs& inputs, bool wants_final, int64_t tiles) {
    const auto out = at::empty(inputs.v.sizes(), inputs.v.options());
    const auto last = at::empty({wants_final ? inputs.segments() : 0, inputs.heads(), inputs.keys(), inputs.values()}, inputs.g.options());
    const DeltaWork work(inputs);
    by_type(inputs.v, [&](auto zero) {
        using T = decltype(zero);
        by_panels(static_cast<TileKind>(tiles), [&](auto shape) {
            work.share_out([&] { return std::make_shared<Forward<decltype(shape), T>>(work, out, last); });
        });
    });
    return {out, last};
}

void delta_gradients_on_cpu(
    const at::Tensor& dout, const at::Tensor& dfinal, const DeltaInputs& inputs, int64_t tiles, const DeltaGradients& to) {
    const DeltaWork work(inputs);
    Apart apart;
    if (work.parts > 1) {
        const auto of_keys = [&] { return at::empty({work.parts, inputs.tokens(), inputs.key_heads(), inputs.keys()}, inputs.g.options()); };
        const auto of_gates = [&] { return at::empty({work.parts, inputs.tokens(), inputs.heads()}, inputs.g.options()); };
        apart = {of_keys(), of_keys(), of_gates(), of_gates()};
    }
    by_type(inputs.v, [&](auto zero) {
        using T = decltype(zero);
        by_panels(static_cast<TileKind>(tiles), [&](auto shape) {
            work.share_out([&] { return std::make_shared<Backward<decltype(shape), T>>(work, dout, dfinal, to, apart); });
        });
        if (work.parts > 1) {
            join<T>(inputs, apart, to);
        }
    });
}

DeltaGradients delta_gradients_on_cpu(const at::Tensor& dout, const at::Tensor& dfinal, const DeltaInputs& inputs, int64_t tiles) {
    const auto like = [](const at::Tensor& x) { return x.defined() ? at::empty(x.sizes(), x.options()) : x; };
    const DeltaGradients to{like(inputs.q), like(inputs.k), like(inputs.v), like(inputs.g), like(inputs.beta), like(inputs.initial)};
    delta_gradients_on_cpu(dout, dfinal, inputs, tiles, to);
    return to;
}

} // namespace fovea
