using System.Diagnostics;
using Fovea.Generation;
using Fovea.Generation.Engine;
using Fovea.Models;
using Fovea.Tensors;
using Fovea.Testing;

namespace Fovea.Bench;

/// <summary>
/// Greedy generation with the mid model: prompts of 512 tokens, each with an image of its own and nothing in common, then 64 tokens of each; several at once
/// where asked. Beside it what bounds it, measured in the same run: weights and caches over the rate at which memory is read, operations over the rate of the
/// fastest product.
/// </summary>
internal static class DecodeBench
{
    private const int NewTokens = 64;

    public static SmallResult Run(DType dtype, int rounds, IReadOnlyList<int> batches, bool withPeer, string? attention)
    {
        using var peer = withPeer
            ? new PeerProcess(
                "mid.py", "decode", "--serve", "--dtype", dtype == DType.BF16 ? "bf16" : "fp32", "--batch", string.Join(',', batches),
                "--attention", attention ?? (dtype == DType.BF16 ? "eager" : "sdpa"), "--threads", Torch.Threads.ToString())
            : null;
        using var model = MidModel.Build(new ModelOptions { Compute = dtype });
        using var engine = new GenerationEngine(model, new EngineOptions { SharesPrefixes = false, MostSequences = batches.Max() });
        var prompts = Enumerable.Range(0, batches.Max()).Select(i => MidModel.Prompt(i + 5))
            .Select(p => new Prompt(Array.ConvertAll(p.Ids, id => (int)id), [p.Image])).ToList();
        Once(engine, prompts[..batches[0]]);
        peer?.Read();
        var (ours, theirs) = (batches.ToDictionary(b => b, _ => new List<Round>()), batches.ToDictionary(b => b, _ => new List<Round>()));
        var (bandwidth, rate) = (0.0, 0.0);
        for (var i = 0; i < rounds; i++)
        {
            bandwidth = Math.Max(bandwidth, DecodeFloor.Bandwidth());
            rate = Math.Max(rate, DecodeFloor.ProductRate(dtype));
            foreach (var batch in batches)
            {
                ours[batch].Add(Once(engine, prompts[..batch]));
                if (peer?.Ask($"round {batch}") is { } answer)
                {
                    theirs[batch].Add(new Round((double)answer["prefill_seconds"]!, (double)answer["decode_seconds"]!));
                }
            }
        }

        var figures = batches.SelectMany(batch => Figures(batch, batches.Count > 1, ours[batch]))
            .Append(new("peak_rss_mib", PeakMemory.ResidentMebibytes)).ToDictionary();
        var floors = new Dictionary<string, double> { ["bandwidth_gigabytes_per_second"] = bandwidth / 1e9, ["products_gigaflops_per_second"] = rate / 1e9 };
        foreach (var batch in batches)
        {
            var floor = new DecodeFloor(model, dtype, batch, bandwidth, rate);
            var suffix = Suffix(batch, batches.Count > 1);
            var (prefill, decode) = (Timings.MedianOf([.. ours[batch].Select(r => r.Prefill)]), Timings.MedianOf([.. ours[batch].Select(r => r.Decode)]));
            floors[$"decode_over_floor{suffix}"] = decode / floor.Decode(MidModel.SampleTokens, NewTokens - 1);
            floors[$"prefill_over_floor{suffix}"] = prefill / floor.Prefill(MidModel.SampleTokens);
        }

        return new SmallResult("decode", figures)
        {
            Libtorch = Torch.Version,
            Floors = floors,
            Peer = peer is null
                ? null
                : batches.SelectMany(batch => Figures(batch, batches.Count > 1, theirs[batch]))
                    .Append(new("peak_rss_mib", (double)peer.Ask("end")["peak_rss_mib"]!)).ToDictionary(),
        };
    }

    // The first token of all is the end of the prompts; the rest is decoding.
    private static Round Once(GenerationEngine engine, List<Prompt> prompts)
    {
        engine.Reset();
        var first = 0L;
        var begun = new HashSet<int>();
        var started = Stopwatch.GetTimestamp();
        for (var i = 0; i < prompts.Count; i++)
        {
            var number = i;
            engine.Submit(new EngineRequest
            {
                Prompt = prompts[i],
                Options = new GenerationOptions { MaxNewTokens = NewTokens },
                OnToken = (_, _, _) =>
                {
                    if (begun.Add(number) && begun.Count == prompts.Count)
                    {
                        first = Stopwatch.GetTimestamp();
                    }

                    return true;
                },
            });
        }

        engine.Run();
        return new Round(Stopwatch.GetElapsedTime(started, first).TotalSeconds, Stopwatch.GetElapsedTime(first).TotalSeconds);
    }

    private static string Suffix(int batch, bool several) => several ? $"_batch_{batch}" : string.Empty;

    private static IEnumerable<KeyValuePair<string, double>> Figures(int batch, bool several, List<Round> rounds)
    {
        var suffix = Suffix(batch, several);
        var (prefill, decode) = ((double)batch * MidModel.SampleTokens, (double)batch * (NewTokens - 1));
        yield return new($"prefill_tokens_per_second_best{suffix}", prefill / rounds.Min(r => r.Prefill));
        yield return new($"prefill_tokens_per_second_median{suffix}", prefill / Timings.MedianOf([.. rounds.Select(r => r.Prefill)]));
        yield return new($"decode_tokens_per_second_best{suffix}", decode / rounds.Min(r => r.Decode));
        yield return new($"decode_tokens_per_second_median{suffix}", decode / Timings.MedianOf([.. rounds.Select(r => r.Decode)]));
    }

    private readonly record struct Round(double Prefill, double Decode);
}
