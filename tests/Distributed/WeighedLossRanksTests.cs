namespace Fovea.Tests.Distributed;

/// <summary>Weights of tokens, rows and terms of the loss, on one rank and on two.</summary>
[Trait("Category", "Long")]
public sealed class WeighedLossRanksTests : NativeTest
{
    private readonly RankRuns runs = new();

    [Theory]
    [InlineData("token", 0)]
    [InlineData("mean", 3)]
    public void Two_ranks_lose_what_one_does(string reduction, int stage)
    {
        var map = runs.Tiny.Write("map.json", """{"[aeiou]+": [2], "\\d": [0]}""");
        var rows = runs.Tiny.Rows(16, rows =>
        {
            for (var i = 0; i < rows.Count; i++)
            {
                rows[i]!["w"] = 0.25 * (1 + (i % 5));
            }
        });
        var info = Path.Combine(runs.Tiny.Folder, "dataset_info.json");
        File.WriteAllText(info, File.ReadAllText(info).Replace("\"images\": \"images\"", "\"images\": \"images\", \"weight\": \"w\""));
        string[] keys =
        [
            .. rows, $"loss_scale=default+{map}", $"loss_reduction={reduction}", "z_loss=1e-3", "use_dft_loss=true", "lr_by_name={'q_proj': 2e-3}",
            "lr_scheduler_type=constant", "max_steps=3", "disable_shuffling=true",
        ];
        var whole = runs.Train("whole", 1, 4, keys);
        var parts = runs.Train("parts", 2, 4, [.. keys, $"zero={stage}"]);
        var plain = runs.Train("plain", 1, 4, [.. keys, "loss_scale=default"]);

        RankRuns.Near(whole, parts, 1e-4);
        runs.SameWeights("whole", "parts", 1e-4);
        Assert.NotEqual(plain[0], whole[0], 1e-3);
    }

    protected override void Cleanup() => runs.Dispose();
}
