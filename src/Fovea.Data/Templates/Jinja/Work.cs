using System.Runtime.CompilerServices;

namespace Fovea.Data.Templates.Jinja;

/// <summary>Counts what a rendering does and stops it at its <see cref="Limits"/>.</summary>
internal sealed class Work(Limits limits)
{
    private const int CharactersAStep = 8;
    private long steps;
    private int depth;

    public Limits Limits => limits;

    /// <summary>So many steps more.</summary>
    public void Charge(long more)
    {
        steps += more;
        if (steps > limits.Steps)
        {
            throw new ValueException($"the template does not come to an end (more than {limits.Steps:N0} steps)");
        }
    }

    /// <summary>Counts work on a text, which it returns.</summary>
    public string Charge(string text)
    {
        if (text.Length > limits.Characters)
        {
            throw new ValueException($"the template makes a text of more than {limits.Characters:N0} characters");
        }

        Charge(1 + (text.Length / CharactersAStep));
        return text;
    }

    /// <summary>Counts the items of a list to be.</summary>
    public int ChargeItems(long items)
    {
        if (items > limits.Items)
        {
            throw new ValueException($"the template makes a list of more than {limits.Items:N0} items");
        }

        Charge(1 + items);
        return (int)items;
    }

    /// <summary>One level deeper; <see cref="Leave"/> comes back.</summary>
    public void Enter()
    {
        Charge(1);
        if (++depth > limits.Depth || !RuntimeHelpers.TryEnsureSufficientExecutionStack())
        {
            throw new ValueException($"the template is nested or recursive beyond {limits.Depth} levels");
        }
    }

    public void Leave() => depth--;
}
