using System.Security.Cryptography;
using System.Text;
using Fovea.Distributed;
using Fovea.Models;
using Fovea.Nn.Lora;

namespace Fovea.Tests.Unit.Training;

/// <summary>
/// Which weights lie together in which buffer, and in which order, decides what each rank's optimizer files hold. The golden was written by the code before
/// blocks were objects (30f061b): checkpoints of then are read by the same layout.
/// </summary>
public sealed class ShardLayoutTests : NativeTest
{
    [Fact]
    public void Weights_lie_in_the_buffers_in_which_they_always_lay()
    {
        var text = new StringBuilder();
        foreach (var name in EveryModel.Names)
        {
            foreach (var full in new[] { true, false })
            {
                foreach (var stage in new[] { 1, 3 })
                {
                    Describe(text, name, full, stage);
                }
            }
        }

        Assert.Equal(File.ReadAllText(TestFiles.Golden("shard_layouts.txt")), text.ToString());
    }

    private static void Describe(StringBuilder text, string name, bool full, int stage)
    {
        using var model = EveryModel.Build(name, new ModelOptions { Compute = DType.BF16, Deferred = true, Trainable = (_, _) => full });
        if (!full)
        {
            Adapters.Attach(model.Ledger, new LoraOptions { Rank = 4 }, path => path.EndsWith("q_proj", StringComparison.Ordinal));
        }

        using var mesh = Mesh.Alone();
        using var sharded = new ZeroSharding(mesh, model.Ledger, model.Head, new ShardingOptions { Stage = stage });
        text.Append($"{name}, {(full ? "full" : "lora")}, stage {stage}\n");
        foreach (var unit in sharded.Layout)
        {
            text.Append($"  {unit.Name}{(unit.IsLookup ? ", lookup" : "")}{(unit.NeedsImages ? ", images" : "")}{(unit.IsResident ? ", resident" : "")}\n");
            foreach (var flat in unit.Flats)
            {
                string[] names = [.. flat.Weights.Select(weight => weight.Name)];
                text.Append($"    {(flat.Learns ? "trainable" : "frozen")} {flat.Count}: {names.Length} weights from {names[0]} on, {Hash(names)}\n");
            }
        }
    }

    private static string Hash(string[] names) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', names))))[..12];
}
