// The door: any operator registered in libtorch, or by our own kernels, is called by name through one boxed call.
#include "bridge.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/ivalue.h>
#include <ATen/core/stack.h>

#include <vector>

using namespace fovea;

namespace {

c10::IValue to_ivalue(const Value& v) {
    switch (v.tag) {
        case Tag::None: return {};
        case Tag::Int: return v.i;
        case Tag::Double: return v.d;
        case Tag::Bool: return v.i != 0;
        case Tag::String: return std::string(static_cast<const char*>(v.p), static_cast<size_t>(v.count));
        case Tag::Device: return unpack_device(v.i);
        case Tag::Tensor: return borrow(static_cast<Handle>(const_cast<void*>(v.p)));
        case Tag::IntList: {
            const auto* p = static_cast<const int64_t*>(v.p);
            return std::vector<int64_t>(p, p + v.count);
        }
        case Tag::DoubleList: {
            const auto* p = static_cast<const double*>(v.p);
            return std::vector<double>(p, p + v.count);
        }
        case Tag::BoolList: {
            const auto* p = static_cast<const int64_t*>(v.p);
            c10::List<bool> list;
            for (int i = 0; i < v.count; i++) {
                list.push_back(p[i] != 0);
            }
            return list;
        }
        case Tag::TensorList: {
            const auto* p = static_cast<const Handle*>(v.p);
            c10::List<at::Tensor> list;
            list.reserve(static_cast<size_t>(v.count));
            for (int i = 0; i < v.count; i++) {
                list.push_back(borrow(p[i]));
            }
            return list;
        }
        case Tag::OptionalTensorList: {
            const auto* p = static_cast<const Handle*>(v.p);
            c10::List<std::optional<at::Tensor>> list;
            for (int i = 0; i < v.count; i++) {
                list.push_back(p[i] == nullptr ? std::nullopt : std::optional<at::Tensor>(borrow(p[i])));
            }
            return list;
        }
    }
    TORCH_CHECK(false, "unknown tag ", static_cast<int>(v.tag), " at the door");
}

struct Results {
    Value* values;
    int capacity;
    int count = 0;

    void add(Value v) {
        TORCH_CHECK(count < capacity, "the operator returned more than ", capacity, " values");
        values[count++] = v;
    }

    void add_tensor(at::Tensor t) {
        Value v{Tag::Tensor, 0, {}};
        v.p = give(std::move(t));
        add(v);
    }

    void add_ivalue(c10::IValue value) {
        Value v{Tag::None, 0, {}};
        if (value.isTensor()) {
            add_tensor(std::move(value).toTensor());
        } else if (value.isTensorList()) {
            for (auto& t : value.toTensorVector()) {
                add_tensor(std::move(t));
            }
        } else if (value.isNone()) {
            add(v);
        } else if (value.isInt() || value.isSymInt()) {
            v.tag = Tag::Int;
            v.i = value.isInt() ? value.toInt() : value.toSymInt().expect_int();
            add(v);
        } else if (value.isDouble()) {
            v.tag = Tag::Double;
            v.d = value.toDouble();
            add(v);
        } else if (value.isBool()) {
            v.tag = Tag::Bool;
            v.i = value.toBool();
            add(v);
        } else {
            TORCH_CHECK(false, "a result of kind ", value.tagKind(), " cannot cross the door");
        }
    }

    // A call that fails half-way must not leave handles behind.
    void discard() noexcept {
        for (int i = 0; i < count; i++) {
            if (values[i].tag == Tag::Tensor && values[i].p != nullptr) {
                c10::raw::intrusive_ptr::decref(static_cast<Handle>(const_cast<void*>(values[i].p)));
            }
        }
        count = 0;
    }
};

} // namespace

FOVEA_EXPORT int fovea_find(const char* name, const char* overload, const void** op) {
    return guarded([&] {
        auto handle = c10::Dispatcher::singleton().findSchema({name, overload});
        TORCH_CHECK(handle.has_value(), "this libtorch has no operator ", name, *overload ? "." : "", overload);
        *op = new c10::OperatorHandle(*handle); // lives as long as the process
    });
}

// The schema check fills defaults and refuses wrong types and surplus arguments; without it a surplus argument comes back as a result.
FOVEA_EXPORT int fovea_call(const void* op, const Value* args, int count, Value* results, int capacity, int* result_count) {
    Results out{results, capacity};
    const int status = guarded([&] {
        const auto& handle = *static_cast<const c10::OperatorHandle*>(op);
        torch::jit::Stack stack;
        stack.reserve(static_cast<size_t>(std::max<int>(count, static_cast<int>(handle.schema().arguments().size()))));
        for (int i = 0; i < count; i++) {
            stack.push_back(to_ivalue(args[i]));
        }
        handle.schema().checkAndNormalizeInputs(stack);
        handle.callBoxed(&stack);
        for (auto& value : stack) {
            out.add_ivalue(std::move(value));
        }
    });
    if (status != 0) {
        out.discard();
    }
    *result_count = out.count;
    return status;
}
