using Fovea.Hub;
using Fovea.Keys;
using Fovea.Training.Session;

using static Fovea.Keys.Effect;

namespace Fovea.Training.Config;

/// <summary>Where named models and datasets come from, and where results go.</summary>
internal sealed record HubSection
{
    /// <summary>Cache for models and datasets of a hub; null is the one of Hugging Face's client (docs/hub.md).</summary>
    [FilePath, Affects(Execution)] public string? CacheDir { get; init; }

    /// <summary>Branch, tag or commit of models and adapters that are named as on a hub; null is its default branch.</summary>
    [Affects(Learning, As = nameof(RunProgress.BaseModel))] public string? ModelRevision { get; init; }

    /// <summary>Token for Hugging Face's hub; null takes <c>HF_TOKEN</c> or <c>$HF_HOME/token</c>, which keep it out of files.</summary>
    [Secret, Affects(Execution)] public string? HfHubToken { get; init; }

    /// <summary>Token for ModelScope; null takes <c>MODELSCOPE_API_TOKEN</c>.</summary>
    [Secret, Affects(Execution)] public string? MsHubToken { get; init; }

    /// <summary>Push the result to Hugging Face's hub once the run has ended.</summary>
    [Affects(Output)] public bool PushToHub { get; init; }

    /// <summary>Repository to push to, <c>org/name</c>; null is the name of <c>output_dir</c> in the token's account.</summary>
    [Affects(Output)] public string? HubModelId { get; init; }

    /// <summary>Token to push with; null is that of <see cref="HfHubToken"/>.</summary>
    [Secret, Affects(Output)] public string? HubToken { get; init; }

    /// <summary>Whether a repository that has to be created is private; null leaves it to the account's settings.</summary>
    [Affects(Output)] public bool? HubPrivateRepo { get; init; }

    /// <summary>Branch to push to; null is the default branch.</summary>
    [Affects(Output)] public string? HubRevision { get; init; }

    /// <summary>Repository to push a merged model to, <c>org/name</c>.</summary>
    [Affects(Output)] public string? ExportHubModelId { get; init; }

    /// <summary>The environment's settings with what is set here.</summary>
    public HubSettings Settings() => HubSettings.Read(null, CacheDir, HfHubToken, MsHubToken);

    /// <summary>The same with the token to push with.</summary>
    public HubSettings PushSettings() => HubSettings.Read(null, CacheDir, HubToken ?? HfHubToken, MsHubToken);
}
