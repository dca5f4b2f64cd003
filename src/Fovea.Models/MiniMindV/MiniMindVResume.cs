using Fovea.Files.Pickle;
using Fovea.Nn;
using Fovea.Tensors;

namespace Fovea.Models.MiniMindV;

/// <summary>
/// Reads <c>{stage}_{width}[_moe]_resume.pth</c> of generation C's scripts (their <c>vlm_checkpoint</c>): a dict of the whole model's state dict, PyTorch's
/// AdamW state dict, epoch, batches done in it, ranks and, in fp16, the scaler. The optimizer numbers its weights in the order of the module tree; the
/// state dict lists them in the same order by name, so the file itself tells which is which.
/// </summary>
internal static class MiniMindVResume
{
    // What the scripts seed PyTorch with anew in every epoch, plus the epoch's number.
    private const int ScriptSeed = 42;

    private const string Head = "lm_head.weight";

    /// <exception cref="CheckpointException">It is another kind of file, or was made by a run that trained other weights than this one does.</exception>
    public static ResumeFile Open(string path, Ledger ledger) => ResumeFile.Open(path, file =>
    {
        var root = file.Root as OrderedDictionary<object, object?>;
        var (model, optimizer) = (Dict(root, "model"), Dict(root, "optimizer"));
        if (root is null || model is null || optimizer is null
            || Dict(optimizer, "state") is not { } states || Groups(optimizer) is not { Count: > 0 } groups
            || Count(root, "epoch") is not { } epoch || Count(root, "step") is not { } step)
        {
            throw Bad(path, "is not what the project's scripts go on from: such a file (..._resume.pth) has model, optimizer, epoch and step");
        }

        var scaler = Dict(root, "scaler");
        return new ResumeFile(file, Weights(path, model, states, Ids(groups), ledger))
        {
            Epoch = epoch,
            Batches = step,
            OrderSeed = ScriptSeed,
            Ranks = Math.Max(1, Count(root, "world_size") ?? 1),
            LossScale = Number(scaler?.GetValueOrDefault("scale")),
            GoodSteps = (int)(Number(scaler?.GetValueOrDefault("_growth_tracker")) ?? 0),
            Settings = Settings(path, groups[0]),
        };
    });

    private static Dictionary<string, ResumeWeight> Weights(
        string path, OrderedDictionary<object, object?> model, OrderedDictionary<object, object?> states, List<long> ids, Ledger ledger)
    {
        // The head is the embedding table once more, and has no number of its own.
        var all = model.Where(pair => pair is { Key: string name, Value: PickledTensor } && name != Head && !MiniMindVNames.IsTable(name))
            .Select(pair => (Name: MiniMindVNames.Canonical((string)pair.Key), Value: (PickledTensor)pair.Value!)).ToList();
        var learned = all.Where(weight => ledger.Contains(weight.Name) && ledger[weight.Name].Trainable).ToList();
        if (ledger.Trainable.FirstOrDefault(p => learned.All(weight => weight.Name != p.Name)) is { } absent)
        {
            throw Bad(path, $"has no weight {absent.Name}, which this run trains");
        }

        // The scripts give the optimizer either all weights, frozen ones too, or those that learn.
        var numbered = ids.Count == learned.Count ? learned : ids.Count == all.Count ? all : throw Bad(path,
            $"its optimizer has {ids.Count} weights, this run trains {learned.Count} of the file's {all.Count}: go on with the freeze_llm it was made with");
        var weights = new Dictionary<string, ResumeWeight>(StringComparer.Ordinal);
        for (var i = 0; i < numbered.Count; i++)
        {
            var (name, value) = numbered[i];
            var state = states.GetValueOrDefault(ids[i]) as OrderedDictionary<object, object?>;
            if (!ledger.Contains(name) || !ledger[name].Trainable)
            {
                if (state is not null)
                {
                    throw Bad(path, $"its optimizer trains {name}, which this run does not: go on with the freeze_llm it was made with");
                }

                continue;
            }

            weights.Add(name, new ResumeWeight(
                Checked("weight", value), Moment("exp_avg"), Moment("exp_avg_sq"), state is null ? 0 : Number(state.GetValueOrDefault("step")) ?? 0));

            PickledTensor? Moment(string what) => state is null ? null : Checked(what, state.GetValueOrDefault(what) as PickledTensor
                ?? throw Bad(path, $"its optimizer has no {what} for weight {ids[i]} ({name}): it was not AdamW"));

            PickledTensor Checked(string what, PickledTensor tensor) => tensor.Shape.AsSpan().SequenceEqual(ledger[name].Shape)
                ? tensor
                : throw Bad(path, $"{what} of weight {ids[i]} ({name}) is [{string.Join(", ", tensor.Shape)}], the model's is "
                    + $"[{string.Join(", ", ledger[name].Shape)}]");
        }

        return weights;
    }

    private static Dictionary<string, double> Settings(string path, OrderedDictionary<object, object?> group)
    {
        if (group.GetValueOrDefault("amsgrad") is true || group.GetValueOrDefault("maximize") is true)
        {
            throw Bad(path, "its optimizer is AdamW with amsgrad or maximize, which Fovea does not have");
        }

        var betas = group.GetValueOrDefault("betas") is object?[] { Length: 2 } pair ? pair : [null, null];
        (string Name, object? Value)[] settings =
            [("weight_decay", group.GetValueOrDefault("weight_decay")), ("beta1", betas[0]), ("beta2", betas[1]), ("eps", group.GetValueOrDefault("eps"))];
        return settings.Where(s => Number(s.Value) is not null).ToDictionary(s => s.Name, s => Number(s.Value)!.Value);
    }

    private static List<OrderedDictionary<object, object?>> Groups(OrderedDictionary<object, object?> optimizer) =>
        [.. (optimizer.GetValueOrDefault("param_groups") as List<object?> ?? []).OfType<OrderedDictionary<object, object?>>()];

    private static List<long> Ids(List<OrderedDictionary<object, object?>> groups) =>
        [.. groups.SelectMany(group => (group.GetValueOrDefault("params") as List<object?> ?? []).OfType<long>())];

    private static OrderedDictionary<object, object?>? Dict(OrderedDictionary<object, object?>? parent, string key) =>
        parent?.GetValueOrDefault(key) as OrderedDictionary<object, object?>;

    private static int? Count(OrderedDictionary<object, object?> parent, string key) =>
        parent.GetValueOrDefault(key) is long and >= 0 and <= int.MaxValue and var count ? (int)count : null;

    /// <summary>Counts of updates are numbers in files of older PyTorch, else tensors of one element.</summary>
    private static double? Number(object? value) => value switch
    {
        double number => number,
        long number => number,
        PickledTensor { Count: 1, DType: DType.F32 } tensor => BitConverter.ToSingle(tensor.Memory.Slice(tensor.Offset, tensor.Bytes)),
        _ => null,
    };

    private static CheckpointException Bad(string path, string what) => new($"{path}: {what}");
}
