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
    private readonly bool takesParts;

    /// <param name="template">The model's own template, with the family's tokens for images.</param>
    /// <param name="plans">What becomes of each image, in order.</param>
    /// <param name="imageText">What stands for an image in templates that take text alone, by the image's number.</param>
    public RenderedConversation(ChatTemplate template, DataOptions options, Exchanges exchanges, IReadOnlyList<MediaPlan> plans, Func<int, string> imageText)
    {
        (model, this.template, this.options, this.exchanges, this.plans) = (template.Model!, template, options, exchanges, plans);
        takesParts = plans.Count > 0 && model.TakesParts(template.ImageToken!);
        var system = string.IsNullOrEmpty(exchanges.System) ? options.DefaultSystem : exchanges.System;
        if (!string.IsNullOrEmpty(system))
        {
            messages.Add(ModelTemplate.Message("system", system));
        }

        Lead = messages.Count;
        var image = 0;
        foreach (var (user, assistant) in exchanges.Turns)
        {
            messages.Add(ModelTemplate.Message("user", Content(user)));
            messages.Add(ModelTemplate.Message("assistant", Content(assistant)));
        }

        if (exchanges.Open is not null)
        {
            messages.Add(ModelTemplate.Message("user", Content(exchanges.Open)));
        }

        object Content(Message message) => takesParts && message.Parts.Any(part => part is Image)
            ? new PyList([.. message.Parts.Select(part => part is Text text ? ModelTemplate.Part("text", text.Value) : ModelTemplate.Part("image", null))])
            : Placeholders.Join(message.Parts, () => imageText(image++));
    }

    /// <summary>Messages before the first question.</summary>
    private int Lead { get; }

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
            + "when others follow it, or than it asks for its answer (as templates do that drop earlier thoughts), so where the answers stand cannot be told: "
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

    private RenderedText Render(int count, bool asks) => model.Render(messages[..count], asks, options.EnableThinking, options.PreserveThinking);

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
            var behind = Lead + (2 * differs);
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
