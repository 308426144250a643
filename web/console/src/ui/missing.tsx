import { common } from '../texts/common';
import { Empty } from './empty';
import { To } from './link';

export function Missing() {
  return <Empty title={common.missing} action={<To to="/">{common.toOverview}</To>}>{common.missingHint}</Empty>;
}
