import { describe, expect, it } from 'vitest';
import { read } from './csv';

describe('tables of identities', () => {
  it('are read with quotes, several groups and credentials', () => {
    const { identities, wrong } = read('kind,name,owner,purpose,groups,mac,san_dns\r\ndevice,"printer ""2nd, floor""",anna,prints,printers;hq,02:00:5e:00:00:10,\r\nagent,bot,ben,sums up,,,bot.corp.example\r\n');
    expect(wrong).toEqual([]);
    expect(identities).toEqual([
      { kind: 'device', name: 'printer "2nd, floor"', owner: 'anna', purpose: 'prints', groups: ['printers', 'hq'], credentials: [{ mac: '02:00:5e:00:00:10' }] },
      { kind: 'agent', name: 'bot', owner: 'ben', purpose: 'sums up', credentials: [{ san_dns: 'bot.corp.example' }] },
    ]);
  });

  it('may be parted by semicolons or tabs, and begin with a mark of their octets', () => {
    expect(read('\uFEFFkind;name\nuser;anna').identities).toEqual([{ kind: 'user', name: 'anna' }]);
    expect(read('kind\tname\nuser\tanna').identities).toEqual([{ kind: 'user', name: 'anna' }]);
  });

  it('lines that cannot be read are named, also after a field of several lines', () => {
    const { wrong } = read('kind,name,autonomy,colour\n"de\nvice",x,9,red\n,y,,\nuser,z,,blue,more');
    expect(wrong.map(({ line }) => line)).toEqual([1, 2, 4, 5]);
    expect(read('name\nx').wrong).toHaveLength(1);
    expect(read('').wrong).toHaveLength(1);
    expect(read('kind,name\nuser,"anna').wrong).toHaveLength(1);
  });
});
