using Fovea.Files.Safetensors;

namespace Fovea.Models;

/// <summary>
/// Names of weights that were saved from a model inside a wrapper (torch.compile, DistributedDataParallel, FSDP, ...), which puts its own name before or
/// between theirs. Taken away where that is all they say; told once.
/// </summary>
internal sealed class WrapperNames
{
    // Nothing else is ever called so, wherever in a name it stands.
    private static readonly (string Name, string Of)[] Anywhere =
    [
        ("_orig_mod", "torch.compile"),
        ("_fsdp_wrapped_module", "FullyShardedDataParallel"),
        ("_checkpoint_wrapped_module", "PyTorch's checkpoint wrapper"),
    ];

    // Names that a model could have too: only where every weight begins with it.
    private static readonly (string Name, string Of)[] First =
    [
        ("module", "DataParallel, DistributedDataParallel or DeepSpeed"),
        ("_forward_module", "Lightning"),
        ("base_model.model", "PEFT"),
    ];

    private readonly HashSet<string> removed = new(StringComparer.Ordinal);
    private readonly string prefix = string.Empty;

    private WrapperNames(Checkpoint checkpoint)
    {
        var names = checkpoint.Tensors.Keys.ToList();
        if (names.FirstOrDefault(name => name.Contains(".base_layer.", StringComparison.Ordinal)) is { } adapted)
        {
            throw new CheckpointException($"{checkpoint.Path}: {adapted} was saved from a model with adapters of PEFT still in it; merge them "
                + "(merge_and_unload) and save the model again, or take the base model and the adapter as two folders");
        }

        var found = Anywhere.Where(wrapper => names.Any(name => name.Split('.').Contains(wrapper.Name))).ToList();
        removed.UnionWith(found.Select(wrapper => wrapper.Name));
        names = names.ConvertAll(Inner);
        for (var more = true; more && names.Count > 0;)
        {
            more = false;
            foreach (var wrapper in First.Where(w => names.All(name => name.StartsWith($"{w.Name}.", StringComparison.Ordinal))))
            {
                prefix += $"{wrapper.Name}.";
                names = names.ConvertAll(name => name[(wrapper.Name.Length + 1)..]);
                found.Add(wrapper);
                more = true;
            }
        }

        Notice = found.Count == 0 ? null
            : $"{checkpoint.Path}: its names are read without {string.Join(" and ", found.Select(w => $"{w.Name}. (put there by {w.Of})").Distinct())}";
    }

    /// <summary>One sentence about what is taken away; null for nothing.</summary>
    public string? Notice { get; }

    /// <exception cref="CheckpointException">Adapters are mixed into the weights.</exception>
    public static WrapperNames In(Checkpoint checkpoint) => new(checkpoint);

    /// <summary>A name without its wrappers.</summary>
    public string Plain(string name)
    {
        name = Inner(name);
        return name.StartsWith(prefix, StringComparison.Ordinal) ? name[prefix.Length..] : name;
    }

    private string Inner(string name) => removed.Count == 0 ? name : string.Join('.', name.Split('.').Where(part => !removed.Contains(part)));
}
