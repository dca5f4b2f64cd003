namespace Fovea.Nn.Lora;

/// <summary>
/// An adapter that lies ready beside a model, for the rows of a pass that ask for it (<see cref="AdapterRows"/>), in the element type of the computation.
/// It takes the place of the adapter that is attached to the model; nothing in it learns.
/// </summary>
/// <param name="name">What requests call it.</param>
/// <param name="linears">What it adds to which linears.</param>
internal sealed class NamedAdapter(string name, IReadOnlyDictionary<Linear, LoraAdapter> linears) : IDisposable
{
    public string Name { get; } = name;

    public IEnumerable<Linear> Linears => linears.Keys;

    public LoraAdapter? Of(Linear linear) => linears.GetValueOrDefault(linear);

    public void Dispose()
    {
        foreach (var parameter in linears.Values.SelectMany(adapter => adapter.Parameters))
        {
            parameter.Value.Dispose();
        }
    }
}
