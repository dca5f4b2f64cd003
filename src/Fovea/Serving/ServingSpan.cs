using System.Diagnostics;

namespace Fovea.Serving;

/// <summary>
/// A request as a span with the attributes of OpenTelemetry's conventions for generative AI. Of what is asked and answered it holds numbers only.
/// </summary>
internal static class ServingSpan
{
    /// <returns>Null where nobody listens.</returns>
    public static Activity? Start(string model, GenerationOptions options, bool isChat)
    {
        if (!Telemetry.Source.HasListeners())
        {
            return null;
        }

        // The caller's own span stays the present one: what it does between two pieces is not part of this one.
        var around = Activity.Current;
        var operation = isChat ? "chat" : "text_completion";
        var span = Telemetry.Source.StartActivity($"{operation} {options.Adapter ?? model}");
        Activity.Current = around;
        if (span is not { IsAllDataRequested: true })
        {
            return span;
        }

        span.SetTag("gen_ai.operation.name", operation).SetTag("gen_ai.provider.name", "fovea").SetTag("gen_ai.request.model", options.Adapter ?? model)
            .SetTag("gen_ai.response.model", model).SetTag("gen_ai.request.max_tokens", options.MaxNewTokens);
        Tell(span, "fovea.adapter", options.Adapter);
        Tell(span, "gen_ai.request.choice.count", options.Count == 1 ? null : options.Count);
        Tell(span, "gen_ai.request.seed", options.Seed is { } seed ? unchecked((long)seed) : null);
        if (options.DoSample)
        {
            span.SetTag("gen_ai.request.temperature", options.Temperature).SetTag("gen_ai.request.top_p", options.TopP)
                .SetTag("gen_ai.request.top_k", (double)options.TopK);
        }

        Tell(span, "gen_ai.request.presence_penalty", options.PresencePenalty == 0 ? null : options.PresencePenalty);
        Tell(span, "gen_ai.request.frequency_penalty", options.FrequencyPenalty == 0 ? null : options.FrequencyPenalty);
        return span;
    }

    // The outcome is as the meter counts it; the first piece of text may never have come.
    public static void End(
        Activity? span, string outcome, Exception? failure, IReadOnlyList<ServedUsage> usages, IReadOnlyList<StopReason> reasons, TimeSpan? first)
    {
        if (span is null)
        {
            return;
        }

        if (span.IsAllDataRequested)
        {
            Tell(span, "fovea.time_to_first_token", first?.TotalSeconds);
            if (usages.Count > 0)
            {
                // All answers to a request have its prompt, which counts once.
                span.SetTag("gen_ai.usage.input_tokens", usages[0].PromptTokens)
                    .SetTag("gen_ai.usage.cache_read.input_tokens", usages[0].CachedTokens)
                    .SetTag("gen_ai.usage.output_tokens", usages.Sum(usage => usage.CompletionTokens))
                    .SetTag("gen_ai.response.finish_reasons", reasons.Select(Word).ToArray());
            }
        }

        if (failure is not null)
        {
            Telemetry.Failed(span, failure);
        }
        else if (outcome != "answered")
        {
            span.SetTag("error.type", outcome);
            if (outcome != "cancelled")
            {
                span.SetStatus(ActivityStatusCode.Error);
            }
        }

        var around = Activity.Current;
        span.Stop();
        Activity.Current = around;
    }

    private static string Word(StopReason reason) => reason switch
    {
        StopReason.Finished => "stop",
        StopReason.Length => "length",
        _ => "cancelled",
    };

    private static void Tell(Activity span, string name, object? value)
    {
        if (value is not null)
        {
            span.SetTag(name, value);
        }
    }
}
