"""The nftables script says what the security groups say."""

from localcloud.firewall import Interface, Rule, Services, render

PORTS = Services(api=5000, metadata=7001, resolver=7002, website=7003)


def script(*interfaces):
    return render("beef", interfaces, PORTS)


def chain(text, name):
    return text.split(f"chain {name} {{")[1].split("}\n")[0].split("\n")[1:]


def lines(*rules):
    text = script(Interface(id="eni-1", address="10.0.0.4", ingress=rules))
    return [line.strip() for line in chain(text, "in-eni-1") if line.strip()]


def test_the_table_is_replaced_as_a_whole():
    text = script()
    assert text.startswith(
        "table inet localcloud_beef {}\ndelete table inet localcloud_beef\n"
        "table inet localcloud_beef {"
    )


def test_without_rules_everything_is_dropped():
    assert lines() == ["drop"]


def test_a_port_is_open_to_its_sources_only():
    assert lines(Rule("tcp", (22, 22), ("10.1.0.0/16", "10.0.0.7"))) == [
        "ip saddr { 10.0.0.7, 10.1.0.0/16 } tcp dport 22 return",
        "drop",
    ]


def test_ranges_all_protocols_and_icmp():
    assert lines(
        Rule("udp", (100, 200), ("0.0.0.0/0",)),
        Rule("-1", None, ("10.0.0.9",)),
        Rule("icmp", None, ("0.0.0.0/0",)),
    ) == [
        "udp dport 100-200 return",
        "ip saddr { 10.0.0.9 } return",
        "meta l4proto icmp return",
        "drop",
    ]


def test_numbered_protocols_and_icmp_types():
    assert lines(
        Rule("47", None, ("0.0.0.0/0",)),
        Rule("icmp", (8, -1), ("10.0.0.9",)),
        Rule("icmp", (3, 4), ("0.0.0.0/0",)),
        Rule("icmpv6", None, ("0.0.0.0/0",)),
    ) == [
        "meta l4proto 47 return",
        "ip saddr { 10.0.0.9 } icmp type 8 return",
        "icmp type 3 icmp code 4 return",
        "meta l4proto ipv6-icmp return",
        "drop",
    ]


def test_blocks_that_hold_each_other_are_one():
    assert lines(Rule("-1", None, ("10.0.0.0/8", "10.1.0.0/16", "10.1.0.7")))[0] == (
        "ip saddr { 10.0.0.0/8 } return"
    )


def test_a_group_without_members_admits_nobody():
    assert lines(Rule("tcp", (5432, 5432), ())) == ["drop"]


def test_hosts_of_different_vpcs_are_kept_apart():
    text = script(
        Interface(id="a", address="10.0.0.4", vpc="vpc-1"),
        Interface(id="b", address="10.1.0.4", vpc="vpc-2"),
        Interface(id="c", address="10.0.0.5", vpc="vpc-1"),
    )
    apart = [line.strip() for line in chain(text, "from_host") if "ip saddr {" in line]
    assert apart[:2] == [
        f'oifname "lcbeef*" ip saddr {each} ip daddr != {each} ip daddr != @edge drop'
        for each in ("{ 10.0.0.4, 10.0.0.5 }", "{ 10.1.0.4 }")
    ]


def test_egress_names_destinations():
    rule = Rule("tcp", (443, 443), ("1.2.3.4/32",))
    text = script(Interface(id="eni-1", address="10.0.0.4", egress=(rule,)))
    assert "ip daddr { 1.2.3.4 } tcp dport 443 return" in text


def test_public_addresses_lead_to_their_host():
    text = script(Interface(id="eni-1", address="10.0.0.4", public=("127.20.0.1",), internet=True))
    assert "elements = { 127.20.0.1 : 10.0.0.4 }" in text
    assert "set internet { type ipv4_addr; elements = { 10.0.0.4 }" in text


def test_the_order_of_interfaces_does_not_matter():
    first, second = Interface(id="a", address="10.0.0.4"), Interface(id="b", address="10.0.0.5")
    assert script(first, second) == script(second, first)


def test_an_isolated_host_is_in_the_set_that_is_dropped_first():
    text = script(Interface(id="a", address="10.0.0.4", isolated=True))
    assert "set isolated { type ipv4_addr; elements = { 10.0.0.4 }" in text
    forward = chain(text, "forward")
    assert forward.index("        ip saddr @isolated drop") < next(
        number for number, line in enumerate(forward) if "established" in line
    )


def test_the_edge_reaches_what_is_public_and_is_reached_by_who_has_a_way_out():
    text = script(
        Interface(id="a", address="10.0.0.4", vpc="vpc-1", public=("127.20.0.1",), internet=True),
        Interface(id="b", address="10.0.0.5", vpc="vpc-1"),
        Interface(id="e", address="198.18.0.2", vpc="edge", public=("127.20.0.2",), edge=True),
    )
    assert "set open { type ipv4_addr; elements = { 10.0.0.4, 198.18.0.2 } }" in text
    assert "set edge { type ipv4_addr; elements = { 198.18.0.2 } }" in text
    lines = [line.strip() for line in chain(text, "from_host")]
    members = "{ 10.0.0.4, 10.0.0.5 }"
    assert (
        f'oifname "lcbeef*" ip saddr {members} ip daddr != {members} ip daddr != @edge drop'
        in lines
    )


def test_a_way_to_the_internet_that_ends_ends_for_what_is_under_way():
    """Of connections security groups know, and routes do not."""
    forward, output = (
        [line.strip() for line in chain(script(), name)] for name in ("forward", "output")
    )
    before = forward[: forward.index("ct state established,related accept")]
    assert before[-3:] == [
        'iifname "lcbeef*" oifname != "lc*" ip saddr != @internet '
        "reject with icmpx type admin-prohibited",
        'oifname "lcbeef*" ip saddr @edge ip daddr != @open ct direction original drop',
        'oifname "lcbeef*" ip daddr @edge ip saddr != @edge ip saddr != @internet drop',
    ]
    before = output[: output.index("ct state established,related accept")]
    assert before[-1] == "ct status dnat ip daddr != @open drop"
