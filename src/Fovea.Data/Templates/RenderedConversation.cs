using System.Globalization;
using System.Text;
using Fovea.Data.Datasets;
using Fovea.Data.Images;
using Fovea.Data.Templates.Jinja;

namespace Fovea.Data.Templates;

/// <summary>
/// A conversation that the model's own template writes. What of it the answers are is found by rendering turn by turn: an answer is what the rendering up to
/// and with it has more than the rendering that asks for it. Templates that mark what is generated say it themselves.
/// </summary>
internal sealed class RenderedConversation
{
    private readonly ModelTemplate model;
    private readonly ChatTemplate template;
    private readonly DataOptions options;
    private readonly IReadOnlyList<MediaPlan> plans;
    private readonly Exchanges exchanges;
    private readonly List<object?> messages = [];
    private readonly List<int> answers = [];
    private readonly object? tools;
    private readonly bool takesParts;

    /// <param name="template">The model's own template, with the family's tokens for images.</param>
    /// <param name="tools">The tools that the model may call, a JSON list; null for none.</param>
    /// <param name="plans">What becomes of each image, in order.</param>
    /// <param name="imageText">What stands for an image in templates that take text alone, by the image's number.</param>
    /// <exception cref="ConfigException">The template leaves out what tools there are.</exception>
    public RenderedConversation(
        ChatTemplate template, DataOptions options, Exchanges exchanges, string? tools, IReadOnlyList<MediaPlan> plans, Func<int, string> imageText)
    {
        (model, this.template, this.options, this.exchanges, this.plans) = (template.Model!, template, options, exchanges, plans);
        Check(tools);
        this.tools = tools is null ? null : PyValue.Read(tools, "the tools:");
        takesParts = plans.Count > 0 && model.TakesParts(template.ImageToken!);
        var system = string.IsNullOrEmpty(exchanges.System) ? options.DefaultSystem : exchanges.System;
        if (!string.IsNullOrEmpty(system))
        {
            messages.Add(ModelTemplate.Message("system", system));
        }

        var image = 0;
        foreach (var (asked, assistant) in exchanges.Turns)
        {
            messages.AddRange(asked.Select(Asked));
            answers.Add(messages.Count);
            var answer = ModelTemplate.Message("assistant", Content(assistant));
            List<object?> calls = [.. assistant.Parts.OfType<ToolCall>().Select(ModelTemplate.Call)];
            messages.Add(calls.Count == 0 ? answer : answer.With("tool_calls", new PyList(calls)));
        }

        messages.AddRange(exchanges.Open.Select(Asked));

        PyDict Asked(Message message)
        {
            var written = ModelTemplate.Message(message.Role == Role.Tool ? "tool" : "user", Content(message));
            return message.Parts.OfType<ToolResult>().FirstOrDefault()?.CallId is { } id ? written.With("tool_call_id", id) : written;
        }

        object Content(Message message) => takesParts && message.Parts.Any(part => part is Image)
            ? new PyList([.. message.Parts.Select(Piece).OfType<object>()])
            : Placeholders.Join([.. message.Parts.Where(part => part is not ToolCall)], () => imageText(image++));
    }

    /// <summary>The turns for training.</summary>
    /// <exception cref="TemplateException">The template refuses the conversation.</exception>
    /// <exception cref="ConfigException">What the answers are cannot be told; says what to do.</exception>
    public IReadOnlyList<RenderedTurn> Turns()
    {
        var whole = Render(messages.Count, asks: false);
        if (model.MarksGeneration)
        {
            var marked = Marked(whole);
            if (marked.Count == 0 || (options.MaskHistory && marked.Count != exchanges.Turns.Count))
            {
                throw new ConfigException($"template chat_template: {marked.Count} pieces are marked by 'generation' in {exchanges.Turns.Count} answers"
                    + (marked.Count == 0 ? string.Empty : "; mask_history needs one an answer"));
            }

            // What stands behind the last mark belongs to no answer.
            var end = marked.Sum(turn => turn.Source.Length + turn.Target.Length);
            return Written([.. marked[..^1], marked[^1] with { Closing = whole.Text[end..] }]);
        }

        if (Split(whole.Text, out var differs) is { } turns)
        {
            return Written(turns);
        }

        var asked = Render(messages.Count - 1, asks: true).Text;
        if (options.MaskHistory != options.TrainOnPrompt && whole.Text.StartsWith(asked, StringComparison.Ordinal))
        {
            // The last answer alone is trained, or everything: what else is an answer does not matter.
            return Written([new RenderedTurn(asked, whole.Text[asked.Length..])]);
        }

        throw new ConfigException(string.Create(CultureInfo.InvariantCulture, $"template chat_template: the template writes turn {differs} in another way ")
            + "when others follow it, or than it asks for its answer (as templates do that drop earlier thoughts), so it is unknown where the answers are: "
            + "set mask_history: true to train the last answer alone, mark the answers with {% generation %} ... {% endgeneration %} in the template, "
            + "or name a template of Fovea's own");
    }

    /// <summary>The pieces of a prompt, up to where the answer begins, divided as <see cref="Turns"/> divides.</summary>
    /// <exception cref="TemplateException">The template refuses the conversation.</exception>
    public IReadOnlyList<RenderedTurn> Prompt()
    {
        var whole = Render(messages.Count, asks: true);
        var turns = model.MarksGeneration ? Marked(whole) : Split(whole.Text, out _) ?? [];
        var end = turns.Sum(turn => turn.Source.Length + turn.Target.Length + turn.Closing.Length);
        return Written([.. turns, new RenderedTurn(whole.Text[end..], string.Empty)]);
    }

    private RenderedText Render(int count, bool asks) => model.Render(
        messages[..count], asks, options.EnableThinking, options.PreserveThinking, tools);

    /// <summary>A part of a message in a list of parts; null for what stands elsewhere.</summary>
    private static PyDict? Piece(Part part) => part switch
    {
        Text text => ModelTemplate.Part("text", text.Value),
        ToolResult result => result.Content.Length == 0 ? null : ModelTemplate.Part("text", result.Content),
        Image => ModelTemplate.Part("image", null),
        _ => null,
    };

    /// <summary>What a template leaves out, the model would neither see nor learn.</summary>
    private void Check(string? given)
    {
        var parts = exchanges.Turns.SelectMany(turn => turn.Asked.Append(turn.Assistant)).Concat(exchanges.Open).SelectMany(message => message.Parts).ToList();
        var left = given is not null && !model.WritesTools ? "tools"
            : parts.Exists(part => part is ToolCall) && !model.WritesCalls ? "calls of tools"
            : parts.Exists(part => part is ToolResult) && !model.WritesResults ? "the results of tools" : null;
        if (left is not null)
        {
            throw new ConfigException($"template chat_template: {model} does not write {left}, which the conversation has: the model would not see them");
        }
    }

    private static List<RenderedTurn> Marked(RenderedText whole)
    {
        var turns = new List<RenderedTurn>();
        var at = 0;
        foreach (var (start, end) in whole.Generated)
        {
            turns.Add(new RenderedTurn(whole.Text[at..start], whole.Text[start..end]));
            at = end;
        }

        return turns;
    }

    /// <summary>The answered turns as they stand in a text; null where a rendering of fewer turns is not how it begins.</summary>
    /// <param name="differs">The first turn that is not found.</param>
    private List<RenderedTurn>? Split(string whole, out int differs)
    {
        var turns = new List<RenderedTurn>();
        var at = 0;
        for (differs = 1; differs <= exchanges.Turns.Count; differs++)
        {
            var behind = answers[differs - 1] + 1;
            var asked = Render(behind - 1, asks: true).Text;
            var answered = behind == messages.Count ? whole : Render(behind, asks: false).Text;
            if (asked.Length < at || answered.Length < asked.Length || !whole.StartsWith(asked, StringComparison.Ordinal)
                || !whole.StartsWith(answered, StringComparison.Ordinal))
            {
                return null;
            }

            turns.Add(new RenderedTurn(whole[at..asked.Length], whole[asked.Length..answered.Length]));
            at = answered.Length;
        }

        return turns;
    }

    /// <summary>The turns with each image as its plan writes it, where the plan says how.</summary>
    private List<RenderedTurn> Written(List<RenderedTurn> turns)
    {
        if (!takesParts || plans.All(plan => plan.Around is null))
        {
            return turns;
        }

        var image = 0;
        return turns.ConvertAll(turn => new RenderedTurn(Expand(turn.Source), Expand(turn.Target), Expand(turn.Closing)));

        string Expand(string text)
        {
            var written = new StringBuilder();
            var from = 0;
            for (var at = Next(0); at >= 0 && image < plans.Count; at = Next(from), image++)
            {
                var plan = plans[image];
                written.Append(text, from, at - from).Append(plan.Around is null ? template.ImageToken : plan.Write(image, template.ImageToken!));
                from = at + template.ImageToken!.Length;
            }

            return written.Append(text, from, text.Length - from).ToString();

            int Next(int start) => text.IndexOf(template.ImageToken!, start, StringComparison.Ordinal);
        }
    }
}
