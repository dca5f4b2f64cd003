using System.Net;
using System.Net.Sockets;

namespace Fovea.Distributed;

/// <summary>By which address of this host other ranks reach it.</summary>
internal static class OwnAddress
{
    /// <summary>
    /// This process's address on the way to the store: what its host name resolves to may be the loopback or another network. Empty where the user names
    /// the interface (GLOO_SOCKET_IFNAME).
    /// </summary>
    public static string Towards(RankVariables variables)
    {
        if (!string.IsNullOrEmpty(Environment.GetEnvironmentVariable("GLOO_SOCKET_IFNAME")))
        {
            return string.Empty;
        }

        try
        {
            foreach (var address in Dns.GetHostAddresses(variables.MasterAddress).OrderBy(a => a.AddressFamily))
            {
                // Connecting a datagram socket sends nothing; it only picks the route.
                using var probe = new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
                probe.Connect(address, variables.MasterPort);
                return ((IPEndPoint)probe.LocalEndPoint!).Address.ToString();
            }
        }
        catch (SocketException)
        {
            // The store was reached, so this is odd; the host name is the next best.
        }

        return string.Empty;
    }
}
