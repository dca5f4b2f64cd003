using Fovea.Generation;
using Fovea.Generation.Engine;
using Fovea.Models;
using Fovea.Tensors;
using Fovea.Testing;

namespace Fovea.Bench;

/// <summary>Greedy generation with the mid model: a prompt of 512 tokens with an image, then 64 tokens.</summary>
internal static class DecodeBench
{
    private const int NewTokens = 64;

    public static SmallResult Run(DType dtype, int rounds, bool withPeer, string? attention)
    {
        using var peer = withPeer
            ? new PeerProcess(
                "mid.py", "decode", "--serve", "--dtype", dtype == DType.BF16 ? "bf16" : "fp32",
                "--attention", attention ?? (dtype == DType.BF16 ? "eager" : "sdpa"), "--threads", Torch.Threads.ToString())
            : null;
        using var model = MidModel.Build(new ModelOptions { Compute = dtype });
        using var engine = new GenerationEngine(model);
        var (ids, image) = MidModel.Prompt();
        var prompt = new Prompt(Array.ConvertAll(ids, id => (int)id), [image]);
        Once();
        peer?.Read();
        var (ours, theirs) = (new List<(double Prefill, double Decode)>(), new List<(double Prefill, double Decode)>());
        for (var i = 0; i < rounds; i++)
        {
            ours.Add(Once());
            if (peer?.Ask("round") is { } answer)
            {
                theirs.Add(((double)answer["prefill_seconds"]!, (double)answer["decode_seconds"]!));
            }
        }

        var figures = Figures(ours, PeakMemory.ResidentMebibytes);
        return new SmallResult("decode", figures)
        {
            Libtorch = Torch.Version,
            Peer = peer is null ? null : Figures(theirs, (double)peer.Ask("end")["peak_rss_mib"]!),
        };

        (double Prefill, double Decode) Once()
        {
            engine.Reset();
            var result = engine.Generate(prompt, new GenerationOptions { MaxNewTokens = NewTokens });
            return (result.PromptTime.TotalSeconds, result.TokenTime.TotalSeconds);
        }
    }

    private static Dictionary<string, double> Figures(List<(double Prefill, double Decode)> rounds, double memory) => new()
    {
        ["prefill_tokens_per_second_best"] = MidModel.SampleTokens / rounds.Min(r => r.Prefill),
        ["prefill_tokens_per_second_median"] = MidModel.SampleTokens / Timings.MedianOf([.. rounds.Select(r => r.Prefill)]),
        ["decode_tokens_per_second_best"] = (NewTokens - 1) / rounds.Min(r => r.Decode),
        ["decode_tokens_per_second_median"] = (NewTokens - 1) / Timings.MedianOf([.. rounds.Select(r => r.Decode)]),
        ["peak_rss_mib"] = memory,
    };
}
