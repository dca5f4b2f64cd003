namespace Fovea.Training.Session;

/// <summary>Frees what was opened one after another, the last first.</summary>
internal sealed class Disposables : IDisposable
{
    private readonly Stack<IDisposable> opened = new();

    public T Add<T>(T item)
        where T : IDisposable?
    {
        if (item is not null)
        {
            opened.Push(item);
        }

        return item;
    }

    public void Dispose()
    {
        while (opened.TryPop(out var item))
        {
            item.Dispose();
        }
    }
}
