using System.Net;
using System.Net.Sockets;

namespace Fovea.Launch;

/// <summary>TCP ports of this machine.</summary>
internal static class Ports
{
    /// <summary>One that nobody listens on now; another program may take it before it is used.</summary>
    public static int Free()
    {
        using var socket = Listen(0);
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }

    /// <summary>Null when the port can be listened on, else why not.</summary>
    public static string? Trouble(int port)
    {
        try
        {
            Listen(port).Dispose();
            return null;
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode is SocketError.AddressAlreadyInUse ? "it is in use on this machine" : e.Message;
        }
    }

    private static Socket Listen(int port)
    {
        try
        {
            return Listen(new IPEndPoint(IPAddress.IPv6Any, port));
        }
        catch (SocketException e) when (e.SocketErrorCode is not SocketError.AddressAlreadyInUse)
        {
            return Listen(new IPEndPoint(IPAddress.Any, port));
        }
    }

    private static Socket Listen(IPEndPoint place)
    {
        var socket = new Socket(place.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            if (place.AddressFamily is AddressFamily.InterNetworkV6)
            {
                socket.DualMode = true;
            }

            socket.Bind(place);
            socket.Listen(1);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
