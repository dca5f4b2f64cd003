namespace Fovea.Nn.Lora;

/// <summary>
/// An adapter that lies ready beside a model, for the rows of a pass that ask for it (<see cref="AdapterRows"/>), in the element type of the computation.
/// It takes the place of the adapter that is attached to the model; nothing in it learns.
/// </summary>
/// <param name="name">What requests call it.</param>
/// <param name="targets">What it adds to which weights.</param>
internal sealed class NamedAdapter(string name, IReadOnlyDictionary<Adaptable, LoraAdapter> targets) : IDisposable
{
    public string Name { get; } = name;

    public IEnumerable<Adaptable> Targets => targets.Keys;

    public LoraAdapter? Of(Adaptable adaptable) => targets.GetValueOrDefault(adaptable);

    public void Dispose()
    {
        foreach (var adapter in targets.Values)
        {
            adapter.Dispose();
        }
    }
}
