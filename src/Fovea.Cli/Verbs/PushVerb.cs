using System.CommandLine;
using Fovea.Running;
using Fovea.Training.Config;

namespace Fovea.Cli.Verbs;

/// <summary><c>fovea push FOLDER ID</c>: brings a result to Hugging Face's hub.</summary>
internal static class PushVerb
{
    public static Command Create()
    {
        var folder = new Argument<string>("FOLDER") { Description = "Adapter or model folder." }.IsPath();
        var id = new Argument<string>("ID") { Description = "Repository, org/name, or a name in the token's own account. Created if missing." };
        var hidden = new Option<bool>("--private") { Description = "Create the repository as a private one." };
        var message = new Option<string?>("--message") { Description = "First line of the commit." };
        var revision = new Option<string?>("--revision") { Description = "Branch to push to; created if missing." };
        var verb = new Command("push", """
            Push an adapter or a model to the hub, with a model card unless the folder has one of its own.

            Hidden files and checkpoint folders stay behind. The token is read from HF_TOKEN or $HF_HOME/token and needs the right to write.

            Examples:
              fovea push saves/receipts acme/receipts-lora --private
              fovea push models/merged receipts-vl --message "Second round"
            """)
        {
            folder, id, hidden, message, revision,
        };
        verb.SetAction((parsed, cancel) =>
        {
            var address = HubResult.Push(
                parsed.GetRequiredValue(folder), parsed.GetRequiredValue(id), new HubSection().PushSettings(), card: null, request => request with
                {
                    Private = parsed.GetValue(hidden) ? true : null,
                    Message = parsed.GetValue(message) ?? request.Message,
                    Revision = parsed.GetValue(revision) ?? request.Revision,
                    Say = Console.Error.WriteLine,
                }, cancel);
            parsed.InvocationConfiguration.Output.WriteLine(address);
            return Task.FromResult(0);
        });
        return verb;
    }
}
