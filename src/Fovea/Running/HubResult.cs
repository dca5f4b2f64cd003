using Fovea.Hub;
using Fovea.Hub.Pushing;
using Fovea.Training.Config;

namespace Fovea.Running;

/// <summary>A result's way to the hub, with a card that says what it is.</summary>
internal static class HubResult
{
    /// <summary>Looks at what can be known before a run about its push at the end.</summary>
    /// <exception cref="ConfigException">It cannot succeed.</exception>
    public static void CheckPush(TrainConfig config)
    {
        if (config is not { Hub.PushToHub: true, Run.DoTrain: true })
        {
            return;
        }

        var settings = config.Hub.PushSettings();
        if (settings.Offline || settings.ModelScope || settings.Token is null)
        {
            throw new ConfigException("push_to_hub: " + (settings.Offline ? "HF_HUB_OFFLINE is set"
                : settings.ModelScope ? "results are pushed to Hugging Face's hub alone, and USE_MODELSCOPE_HUB is set"
                : "there is no token: set HF_TOKEN or hub_token to one that may write"));
        }
    }

    /// <summary>Pushes the result of a run that has ended. Where that fails, the message says that the result is there, and how to push it.</summary>
    /// <exception cref="FoveaException">It was not pushed.</exception>
    public static string PushEnded(TrainConfig config, Action<string> say, CancellationToken cancel)
    {
        try
        {
            return Push(config, say, cancel);
        }
        catch (Exception e) when (e is FoveaException or IOException or UnauthorizedAccessException or OperationCanceledException)
        {
            var (folder, why) = (config.Run.OutputDir, e is OperationCanceledException ? "it was interrupted" : e.Message);
            throw new HubException(
                (e as HubException)?.Fault ?? HubFault.Refused,
                $"the run has ended, and its result is in {folder}, but it was not pushed: {why}\n"
                + $"try again with: fovea push {folder} {config.Hub.HubModelId ?? Title(folder)}", e);
        }
    }

    /// <summary>Pushes a run's result as its configuration asks.</summary>
    /// <returns>The address of the commit.</returns>
    public static string Push(TrainConfig config, Action<string> say, CancellationToken cancel)
    {
        var folder = config.Run.OutputDir;
        var card = CardText.Of(folder, Title(folder));
        card = card with
        {
            BaseModel = card.BaseModel ?? config.Model.HubNames.GetValueOrDefault(config.Model.ModelNameOrPath),
            Datasets = [.. config.Data.FromHub.Distinct()],
            Trained = [.. card.Trained, .. Trained(config)],
        };
        return Push(folder, config.Hub.HubModelId ?? Title(folder), config.Hub.PushSettings(), card, request => request with
        {
            Private = config.Hub.HubPrivateRepo, Revision = config.Hub.HubRevision ?? request.Revision, Say = say,
        }, cancel);
    }

    /// <summary>Pushes a folder.</summary>
    /// <returns>The address of the commit.</returns>
    /// <exception cref="ConfigException">It cannot be pushed; the message says why.</exception>
    public static string Push(
        string folder, string id, HubSettings settings, CardText? card, Func<PushRequest, PushRequest> change, CancellationToken cancel)
    {
        if (!Directory.Exists(folder))
        {
            throw new ConfigException($"{folder} is no folder: there is nothing to push");
        }

        var files = PushFile.In(folder);
        if (CardText.MayReplace(folder) && files.Count > 0)
        {
            files = [.. files.Where(file => file.Path != "README.md"), PushFile.Of("README.md", (card ?? CardText.Of(folder, Title(folder))).ToString())];
        }

        using var client = new HubClient(settings);
        return client.Push(change(new PushRequest(id, files)), cancel).GetAwaiter().GetResult();
    }

    private static string Title(string folder) => Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)));

    private static IEnumerable<string> Trained(TrainConfig config)
    {
        var schedule = config.Schedule;
        yield return FormattableString.Invariant($"{(schedule.MaxSteps > 0 ? $"{schedule.MaxSteps} steps" : $"{schedule.NumTrainEpochs} epochs")} ")
            + FormattableString.Invariant($"of {schedule.SamplesPerStep(1)} samples a step and process, ")
            + FormattableString.Invariant($"learning rate {schedule.LearningRate}, {config.Model.ComputeName}.");
    }
}
