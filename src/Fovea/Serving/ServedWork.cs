using System.Diagnostics;
using System.Threading.Channels;
using Fovea.Generation;
using Fovea.Generation.Constraints;

namespace Fovea.Serving;

/// <summary>One request to a server from its arrival to its end.</summary>
internal sealed class ServedWork(ModelServer server, GenerationOptions options, bool isChat)
{
    private readonly long started = Stopwatch.GetTimestamp();
    private readonly Channel<ServedPiece> pieces =
        Channel.CreateUnbounded<ServedPiece>(new UnboundedChannelOptions { SingleReader = true, SingleWriter = true });

    private readonly TaskCompletionSource ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Activity? span = ServingSpan.Start(server.Name, options, isChat);
    private readonly List<ServedUsage> usages = [];
    private readonly List<StopReason> reasons = [];
    private TimeSpan? first;
    private TimeSpan? last;

    public ChannelReader<ServedPiece> Pieces => pieces.Reader;

    /// <summary>Until the engine holds nothing for it; fails where an answer failed.</summary>
    public Task Ended { get; private set; } = Task.CompletedTask;

    /// <summary>Puts it in the engine's queue.</summary>
    public async Task Submit(Prompt prompt, GenerationOptions fitted, CompiledConstraint? form, CancellationToken cancel)
    {
        await server.Model.Run(
            () =>
            {
                server.Model.Loaded.Answerer.Submit(prompt, fitted, Say, _ => End(null), End, cancel, form);
                server.Model.Wake();
                return true;
            }, cancel).ConfigureAwait(false);
        Ended = ended.Task;
    }

    public void Record(ServerMeter meter, ServerLog log)
    {
        var model = options.Adapter ?? server.Name;
        var outcome = Ended.IsFaulted ? "failed" : !ReferenceEquals(Ended, ended.Task) ? "refused" : last is null ? "cancelled" : "answered";
        if (first is { } time)
        {
            meter.First(model, time);
        }

        if (Ended.Exception?.InnerException is { } failure)
        {
            log.Failed(failure, model);
        }

        meter.Ended(model, outcome, last ?? Stopwatch.GetElapsedTime(started), usages);
        ServingSpan.End(span, outcome, Ended.Exception?.InnerException, usages, reasons, first);
    }

    // On the model's thread.
    private void Say(AnswerPiece piece)
    {
        first ??= Stopwatch.GetElapsedTime(started);
        ServedUsage? usage = null;
        if (piece.Ended?.Generation is { } made)
        {
            usage = new ServedUsage(made.PromptTokens, made.Ids.Count, made.ReusedTokens);
            usages.Add(usage);
            reasons.Add(made.Reason);
            last = made.Reason != StopReason.Cancelled && usages.Count == options.Count ? Stopwatch.GetElapsedTime(started) : null;
        }

        pieces.Writer.TryWrite(
            new ServedPiece(piece.Sample, piece.Text, [.. piece.Tokens.Select(token => server.Texts.Of(token.Id, token.Logprob))])
            {
                Reason = piece.Ended?.Generation.Reason,
                Usage = usage,
            });
    }

    private void End(Exception? failure)
    {
        pieces.Writer.TryComplete(failure);
        if (failure is null)
        {
            ended.TrySetResult();
        }
        else
        {
            ended.TrySetException(failure);
        }
    }
}
