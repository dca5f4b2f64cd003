using Microsoft.Extensions.AI;

namespace Fovea.Extensions.AI;

/// <summary>A <see cref="ModelServer"/> as a chat client.</summary>
public static class ModelServerExtensions
{
    /// <summary>
    /// A chat client over a model in this process. Calls from any number of threads are answered in one batch. It keeps nothing between calls, and disposing
    /// of it frees nothing.
    /// </summary>
    /// <param name="server">Stays the caller's, and must live as long as the client is used.</param>
    /// <param name="adapter">
    /// One of <see cref="ModelServer.Adapters"/>; null for the model as it was loaded. <see cref="ChatOptions.ModelId"/> of a call comes first.
    /// </param>
    /// <returns>
    /// It takes text, images as bytes, tools that are functions (for a model loaded with <c>Template = "chat_template"</c>), and of <see cref="ChatOptions"/>
    /// everything but options for reasoning and a required call; a <see cref="GenerationOptions"/> from
    /// <see cref="ChatOptions.RawRepresentationFactory"/> is what the other options then change. What it does not take is a <see cref="ConfigException"/>.
    /// </returns>
    /// <exception cref="ConfigException">There is no such adapter.</exception>
    public static IChatClient AsIChatClient(this ModelServer server, string? adapter = null)
    {
        ArgumentNullException.ThrowIfNull(server);
        return new FoveaChatClient(server, adapter);
    }
}
