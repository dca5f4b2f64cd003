using System.Text;

namespace Fovea.Tensors.Native;

/// <summary>The calls of a store that pass bytes.</summary>
internal static unsafe class StoreBytes
{
    private const int Usual = 4096;

    internal static void Set(nint store, string key, string value)
    {
        var bytes = Encoding.UTF8.GetBytes(value);
        fixed (byte* data = bytes)
        {
            Bridge.Check(Bridge.StoreSet(store, key, data, bytes.Length));
        }
    }

    internal static bool SetOnce(nint store, string key, string value)
    {
        var bytes = Encoding.UTF8.GetBytes(value);
        fixed (byte* data = bytes)
        {
            Bridge.Check(Bridge.StoreSetOnce(store, key, data, bytes.Length, out var set));
            return set != 0;
        }
    }

    internal static string Get(nint store, string key)
    {
        var buffer = new byte[Usual];
        while (true)
        {
            long length;
            fixed (byte* data = buffer)
            {
                Bridge.Check(Bridge.StoreGet(store, key, data, buffer.Length, out length));
            }

            if (length <= buffer.Length)
            {
                return Encoding.UTF8.GetString(buffer, 0, (int)length);
            }

            buffer = new byte[length];
        }
    }
}
